import type { ContainerLogs, LogEntry } from '../container-runtime.ts';
import type { ContainerRecord, Records } from './records.ts';

/** What a container has written follows from its record, so nothing is kept for it. */
export function logEntries(container: ContainerRecord): LogEntry[] {
  const { name, startedAt, finishedAt, state, exitCode, behaviour } = container;
  if (startedAt === 0) return [];
  const entry = (time: number, text: string): LogEntry => ({ time, stream: 'stdout', text });
  const entries = [
    entry(startedAt, `simulated container ${name} started`),
    ...behaviour.log.map((line) => entry(startedAt, line)),
  ];
  if (state === 'exited') entries.push(entry(finishedAt, `simulated container ${name} exited with code ${exitCode}`));
  return entries;
}

export function createSimulatedLogs(records: Records): ContainerLogs {
  return {
    async read(id) {
      return logEntries(records.container(id));
    },
    async follow(id, onEntry, signal) {
      const container = records.container(id);
      const before = logEntries(container);
      for (const entry of before) onEntry(entry);
      await untilExit(container, signal);
      if (!signal.aborted) for (const entry of logEntries(container).slice(before.length)) onEntry(entry);
    },
  };
}

/** Resolves when the container has exited or was removed, or `signal` is aborted. */
export function untilExit(container: ContainerRecord, signal?: AbortSignal): Promise<void> {
  if (container.state === 'exited' || signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      signal?.removeEventListener('abort', done);
      resolve();
    };
    container.waiting ??= [];
    container.waiting.push(done);
    signal?.addEventListener('abort', done, { once: true });
  });
}
