import type { Logger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../../client/event-recorder.ts';
import type { InformerFactory } from '../../client/informer.ts';
import type { ControllerDefinition } from './controller.ts';
import { type ControllerMetrics, type ControllerRunner, startController } from './controller-runner.ts';
import { createLeaderElection, type LeaderElection, type LeaderElectionOptions } from './leader-election.ts';

export interface ControllerManagerOptions {
  readonly client: Client;
  /** The caller starts and stops it; the manager asks it to start too. */
  readonly informers: InformerFactory;
  readonly controllers: readonly ControllerDefinition[];
  readonly logger: Logger;
  /** Who writes: the holder of the Lease, the host of events. */
  readonly identity?: string;
  /** Absent: it leads always. */
  readonly leaderElection?: { readonly namespace?: string; readonly name?: string } & Partial<
    Pick<LeaderElectionOptions, 'leaseDurationMs' | 'renewDeadlineMs' | 'retryPeriodMs'>
  >;
  /** One per controller when absent, named after it. */
  readonly events?: EventRecorder;
  readonly metrics?: ControllerMetrics;
  readonly now?: () => number;
}

export interface ControllerManager {
  /** Resolves when every controller's caches are synced and, if this one leads, its workers run. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Every controller's cache is synced. */
  readonly ready: boolean;
  readonly leading: boolean;
  /** Controllers that still wait for their caches. */
  readonly waiting: readonly string[];
}

/** Runs controllers: each on its own queue, all on the shared informers. */
export function createControllerManager(options: ControllerManagerOptions): ControllerManager {
  const identity = options.identity ?? `k8ts_${Math.random().toString(36).slice(2, 10)}`;
  checkNames(options.controllers);
  let runners: readonly ControllerRunner[] = [];
  let recorders: EventRecorder[] = [];
  let election: LeaderElection | undefined;
  let working = false;
  let stopped = false;

  async function startAll(): Promise<void> {
    runners = options.controllers.map((definition) => {
      const events = options.events ?? createEventRecorder({ ...options, component: definition.name });
      if (!options.events) recorders.push(events);
      return startController(definition, { ...options, events, now: options.now ?? Date.now });
    });
    options.informers.start();
    working = true;
    // A controller whose kind does not exist yet must not hold up the others.
    await Promise.all(
      runners.map(async (runner) => {
        await runner.whenSynced();
        if (working && !stopped) runner.work();
      }),
    ).catch((error: unknown) => {
      if (working) throw error;
    });
  }

  async function stopAll(): Promise<void> {
    working = false;
    await Promise.all(runners.map((runner) => runner.stop()));
    await Promise.all(recorders.map((recorder) => recorder.stop()));
    runners = [];
    recorders = [];
  }

  return {
    get ready() {
      return runners.length === options.controllers.length && runners.every((runner) => runner.synced);
    },
    get leading() {
      return election ? election.leading : working;
    },
    get waiting() {
      return runners.filter((runner) => !runner.synced).map((runner) => runner.name);
    },
    async start() {
      if (!options.leaderElection) return startAll();
      let failed: unknown;
      election = createLeaderElection({
        client: options.client,
        logger: options.logger,
        identity,
        ...options.leaderElection,
        namespace: options.leaderElection.namespace ?? 'kube-system',
        name: options.leaderElection.name ?? 'kube-controller-manager',
        onStartedLeading: async () => {
          // Not awaited: the Lease must be renewed while caches sync.
          startAll().catch((error: unknown) => {
            failed = error;
            options.logger.error({ err: error }, 'the controllers could not be started');
          });
        },
        onStoppedLeading: stopAll,
      });
      await election.start();
      if (election.leading) await Promise.all(runners.map((runner) => runner.whenSynced()));
      if (failed) throw failed;
    },
    async stop() {
      stopped = true;
      if (election) await election.stop();
      await stopAll();
    },
  };
}

function checkNames(controllers: readonly ControllerDefinition[]): void {
  const names = new Set<string>();
  for (const { name } of controllers) {
    if (names.has(name)) throw new TypeError(`two controllers are named ${name}`);
    names.add(name);
  }
}
