import type { ContainerLogs, LogEntry } from '../../runtime/container-runtime.ts';
import { LineFilter } from './line-filter.ts';
import type { LogOptions } from './log-options.ts';

/** As `readLog`, of a runtime that keeps no log files. */
export async function readRuntimeLog(
  logs: ContainerLogs,
  containerId: string,
  options: LogOptions,
  signal: AbortSignal,
  write: (chunk: Buffer) => Promise<void> | void,
): Promise<void> {
  const lines = new LineFilter(options);
  const before = await logs.read(containerId);
  const skipped = options.tailLines === undefined ? 0 : Math.max(0, before.length - options.tailLines);
  await put(before.slice(skipped));
  if (!options.follow || lines.done) return;
  const ended = new AbortController();
  let seen = 0;
  let written = Promise.resolve();
  const onEntry = (entry: LogEntry) => {
    if (seen++ < before.length) return;
    written = written
      .then(() => put([entry]))
      .then(() => {
        if (lines.done) ended.abort();
      });
  };
  await logs.follow(containerId, onEntry, AbortSignal.any([signal, ended.signal]));
  await written;

  async function put(entries: readonly LogEntry[]) {
    if (lines.done || entries.length === 0) return;
    const text = entries
      .map(({ time, stream, text }) => `${new Date(time).toISOString()} ${stream} F ${text}\n`)
      .join('');
    const output = lines.take(Buffer.from(text));
    if (output.length > 0) await write(output);
  }
}
