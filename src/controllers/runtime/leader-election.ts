import type { Lease } from '../../api/types/coordination.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { pause } from '../../client/backoff.ts';
import type { Client } from '../../client/client.ts';
import { Leases } from '../../client/resource-types.gen.ts';

export interface LeaderElectionOptions {
  readonly client: Client;
  readonly logger: Logger;
  /** Unique per contender: host name and a random part. */
  readonly identity: string;
  /** Of the Lease. */
  readonly namespace: string;
  readonly name: string;
  /** A leader not heard of for so long is replaced; 15,000. */
  readonly leaseDurationMs?: number;
  /** A leader that could not renew for so long gives up; 10,000, below the lease duration. */
  readonly renewDeadlineMs?: number;
  /** Between attempts; 2,000. */
  readonly retryPeriodMs?: number;
  readonly onStartedLeading: () => void | Promise<void>;
  /** Must stop all work that only a leader may do before it resolves. */
  readonly onStoppedLeading: () => void | Promise<void>;
}

export interface LeaderElection {
  readonly leading: boolean;
  /** Resolves after the first attempt, won or lost. Contends until `stop`, also after leadership was lost. */
  start(): Promise<void>;
  /** Stops leading, and gives the Lease back so that the next one need not wait. */
  stop(): Promise<void>;
}

/**
 * One leader at a time by a Lease. Time is measured from when a change of the Lease was seen here (monotonic clock), so
 * contenders' wall clocks need not agree.
 */
export function createLeaderElection(options: LeaderElectionOptions): LeaderElection {
  const leaseDurationMs = options.leaseDurationMs ?? 15_000;
  const renewDeadlineMs = options.renewDeadlineMs ?? 10_000;
  const retryPeriodMs = options.retryPeriodMs ?? 2_000;
  const { identity, namespace, name, logger } = options;
  const leases = options.client.for(Leases);
  const abort = new AbortController();
  let observed: Lease | undefined;
  let observedAt = 0;
  let leading = false;
  let running: Promise<void> | undefined;

  async function attempt(): Promise<boolean> {
    const time = `${new Date().toISOString().slice(0, -1)}000Z`;
    const requestTimeout = AbortSignal.any([abort.signal, AbortSignal.timeout(renewDeadlineMs)]);
    let lease: Lease;
    try {
      lease = await leases.get({ namespace, name }, { signal: requestTimeout });
    } catch (error) {
      if (!isStatusError(error, 'NotFound')) throw error;
      observe(
        await leases.create(
          {
            apiVersion: 'coordination.k8s.io/v1',
            kind: 'Lease',
            metadata: { namespace, name },
            spec: { ...mine(time), acquireTime: time, leaseTransitions: 0 },
          },
          { signal: requestTimeout },
        ),
      );
      return true;
    }
    if (lease.metadata.resourceVersion !== observed?.metadata.resourceVersion) observe(lease);
    const holder = lease.spec.holderIdentity;
    const held = holder === identity;
    const validMs = (lease.spec.leaseDurationSeconds ?? leaseDurationMs / 1000) * 1000;
    if (!held && holder && performance.now() < observedAt + validMs) return false;
    const spec = {
      ...lease.spec,
      ...mine(time),
      ...(held ? {} : { acquireTime: time, leaseTransitions: (lease.spec.leaseTransitions ?? 0) + 1 }),
    };
    observe(await leases.update({ ...lease, spec }, { signal: requestTimeout }));
    return true;
  }
  const mine = (time: string) => ({
    holderIdentity: identity,
    leaseDurationSeconds: Math.max(1, Math.round(leaseDurationMs / 1000)),
    renewTime: time,
  });
  function observe(lease: Lease): void {
    observed = lease;
    observedAt = performance.now();
  }

  async function attemptQuietly(): Promise<boolean | undefined> {
    try {
      return await attempt();
    } catch (error) {
      logger.debug({ err: error, lease: `${namespace}/${name}` }, 'the lease could not be read or written');
      return isStatusError(error, 'Conflict') || isStatusError(error, 'AlreadyExists') ? false : undefined;
    }
  }

  async function run(firstDone: () => void): Promise<void> {
    while (!abort.signal.aborted) {
      const won = await attemptQuietly();
      if (won && !abort.signal.aborted) {
        leading = true;
        logger.info({ identity, lease: `${namespace}/${name}` }, 'became the leader');
        await options.onStartedLeading();
        firstDone();
        await renew();
        leading = false;
        await options.onStoppedLeading();
        if (abort.signal.aborted) await release();
        else logger.warn({ identity, lease: `${namespace}/${name}` }, 'lost the leadership');
      }
      firstDone();
      await pause(retryPeriodMs * (1 + 0.2 * Math.random()), abort.signal);
    }
  }

  /** Returns when leadership is lost or given up. */
  async function renew(): Promise<void> {
    let renewedAt = performance.now();
    while (!abort.signal.aborted) {
      await pause(retryPeriodMs, abort.signal);
      if (abort.signal.aborted) return;
      const held = await attemptQuietly();
      if (held) renewedAt = performance.now();
      else if (held === false && observed?.spec.holderIdentity !== identity) return;
      else if (performance.now() - renewedAt > renewDeadlineMs) return;
    }
  }

  async function release(): Promise<void> {
    if (observed?.spec.holderIdentity !== identity) return;
    try {
      const spec = { ...observed.spec, holderIdentity: '', leaseDurationSeconds: 1 };
      await leases.update({ ...observed, spec }, { signal: AbortSignal.timeout(1_000) });
    } catch (error) {
      logger.debug({ err: error }, 'the lease could not be given back; it expires');
    }
  }

  return {
    get leading() {
      return leading;
    },
    start() {
      return new Promise<void>((resolve) => {
        running ??= run(resolve);
      });
    },
    async stop() {
      abort.abort();
      await running;
    },
  };
}
