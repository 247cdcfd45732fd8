import { writeFileSync } from 'node:fs';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { claimDataDir } from '../cluster/data-dir.ts';
import type { Timeline } from '../cluster/graph/component.ts';
import { createFileLogger } from '../cluster/logging.ts';
import { processStart, type RunState, removeRunState, writeRunState } from '../cluster/run-state.ts';
import { limitHeapGrowth } from './heap-growth.ts';
import { createProgress } from './progress.ts';

/** A cluster or an agent, as far as the process that runs it cares. */
export interface Booted {
  readonly addresses: Readonly<Record<string, string>>;
  processes(): Readonly<Record<string, number>>;
  timeline(): Timeline;
  stop(): Promise<void>;
}

export interface ForegroundProcess<T extends Booted> {
  readonly command: 'up' | 'server' | 'agent';
  readonly runtime: string;
  readonly datastore: string;
  readonly flags: {
    readonly dataDir: string;
    readonly timings?: string;
    readonly output?: 'json';
  };
  boot(context: {
    readonly logger: Logger;
    readonly signal: AbortSignal;
    onTimeline(timeline: Timeline): void;
  }): Promise<T>;
  /** What else the state tells once it is up. */
  onReady?(booted: T): Partial<RunState>;
  describe(state: RunState): string;
}

/** How long the process may outlive the stop. */
const EXIT_MS = 3_000;

/** Boots, stays until SIGTERM or SIGINT, then drains. Resolves after the stop; throws the boot's CodedError. */
export async function runInForeground<T extends Booted>(run: ForegroundProcess<T>): Promise<void> {
  const { command, runtime, datastore, flags } = run;
  const { dataDir } = flags;
  claimDataDir(dataDir);
  const logger = createFileLogger(dataDir);
  const progress = flags.output === 'json' ? undefined : createProgress(process.stderr);
  const stopped = stopSignal();
  let state: RunState = {
    pid: process.pid,
    command,
    processStart: processStart(process.pid),
    startedAt: Date.now(),
    runtime,
    datastore,
    addresses: {},
    processes: {},
    timeline: { startedAt: Date.now(), phases: [], components: [] },
  };
  const record = (change: Partial<RunState>) => {
    state = { ...state, ...change };
    try {
      writeRunState(dataDir, state);
    } catch (error) {
      logger.error({ err: error }, 'run.json was not written');
    }
  };
  const onTimeline = (timeline: Timeline) => {
    progress?.update(timeline);
    record({ timeline });
  };
  // Both stay until the process ends: what failed to stop may still fail.
  const onStray = (error: unknown) => logger.error({ err: error }, 'an error that nobody handled');
  process.on('uncaughtException', onStray);
  process.on('unhandledRejection', onStray);
  // lmdb tells of a full disk this way, with a stack trace, before it rejects the write.
  console.error = (...args: unknown[]) => logger.error({ err: args[0] }, 'a library reported an error');
  let booted: T | undefined;
  try {
    record({});
    booted = await run.boot({ logger, onTimeline, signal: stopped.signal });
    limitHeapGrowth();
    const more = run.onReady?.(booted);
    record({ addresses: booted.addresses, processes: booted.processes(), timeline: booted.timeline(), ...more });
    if (flags.timings) writeFileSync(flags.timings, `${JSON.stringify(booted.timeline(), null, 2)}\n`);
    progress?.finish();
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(state)}\n` : `${run.describe(state)}\n`);
    await stopped.promise;
    if (!flags.output) process.stderr.write('stopping (again to stop at once)\n');
  } catch (error) {
    progress?.finish();
    if (stopped.signal.aborted) return;
    const failure =
      error instanceof CodedError
        ? error
        : new CodedError(
            'BOOT_FAILED',
            error instanceof Error ? error.message : String(error),
            'See logs/k8ts.log in the data directory.',
            { cause: error },
          );
    logger.error({ err: error }, 'the boot failed');
    record({ failure: { code: failure.code, message: failure.message, remedy: failure.remedy } });
    throw failure;
  } finally {
    await booted?.stop();
    if (!state.failure) removeRunState(dataDir);
    logger.flush();
    stopped.dispose();
    // Whatever failed to stop must not keep the process from ending.
    setTimeout(() => process.exit(), EXIT_MS).unref();
  }
}

/** Settles at the first SIGTERM or SIGINT; a second one ends the process at once. */
function stopSignal() {
  const controller = new AbortController();
  const onSignal = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new Error('stopped by a signal'));
  };
  const promise = new Promise<void>((resolve) =>
    controller.signal.addEventListener('abort', () => resolve(), { once: true }),
  );
  // Keeps the process alive while nothing else does.
  const keepAlive = setInterval(() => {}, 1 << 30);
  for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(name, onSignal);
  return {
    promise,
    signal: controller.signal,
    dispose() {
      clearInterval(keepAlive);
      for (const name of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.off(name, onSignal);
    },
  };
}
