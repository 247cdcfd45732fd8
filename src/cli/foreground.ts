import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import { Cluster } from '../cluster/cluster.ts';
import { claimDataDir } from '../cluster/data-dir.ts';
import type { Timeline } from '../cluster/graph/component.ts';
import { mergeKubeconfig, writeKubeconfig } from '../cluster/kubeconfig.ts';
import { createFileLogger } from '../cluster/logging.ts';
import type { ClusterOptions } from '../cluster/options.ts';
import { processStart, type RunState, removeRunState, writeRunState } from '../cluster/run-state.ts';
import { describeCluster } from './describe.ts';
import { createProgress } from './progress.ts';

export interface ForegroundRun {
  readonly command: 'up' | 'server';
  readonly options: ClusterOptions;
  readonly flags: {
    readonly dataDir: string;
    readonly kubeconfig?: string;
    readonly mergeKubeconfig?: boolean;
    readonly timings?: string;
    readonly output?: 'json';
  };
}

/** Boots a cluster, stays until SIGTERM or SIGINT, then drains. Resolves after the stop; throws the boot's CodedError. */
export async function runForeground({ command, options, flags }: ForegroundRun): Promise<void> {
  const { dataDir } = flags;
  claimDataDir(dataDir);
  const logger = createFileLogger(dataDir);
  const progress = flags.output === 'json' ? undefined : createProgress(process.stderr);
  const stopped = stopSignal();
  const kubeconfig = flags.kubeconfig ?? join(dataDir, 'kubeconfig');
  let state: RunState = {
    pid: process.pid,
    command,
    processStart: processStart(process.pid),
    startedAt: Date.now(),
    runtime: options.runtime ?? 'simulated',
    datastore: options.datastore ?? 'lmdb',
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
  let cluster: Cluster | undefined;
  try {
    record({});
    const starting = Cluster.start({ ...options, logger, onTimeline, signal: stopped.signal });
    cluster = await starting;
    writeKubeconfig(kubeconfig, cluster.kubeconfig);
    if (flags.mergeKubeconfig) mergeKubeconfig({ kubeconfig: cluster.kubeconfig, context: 'k8ts' });
    record({ kubeconfig, addresses: cluster.addresses, processes: cluster.processes(), timeline: cluster.timeline() });
    if (flags.timings) writeFileSync(flags.timings, `${JSON.stringify(cluster.timeline(), null, 2)}\n`);
    progress?.finish();
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(state)}\n` : `${describeCluster(state)}\n`);
    await stopped.promise;
    if (!flags.output) process.stderr.write('stopping (again to stop at once)\n');
  } catch (error) {
    progress?.finish();
    if (stopped.signal.aborted) return;
    const failure =
      error instanceof CodedError
        ? error
        : new CodedError('BOOT_FAILED', String(error), 'See logs/k8ts.log in the data directory.', { cause: error });
    record({ failure: { code: failure.code, message: failure.message, remedy: failure.remedy } });
    throw failure;
  } finally {
    await cluster?.stop();
    if (!state.failure) removeRunState(dataDir);
    logger.flush();
    stopped.dispose();
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
