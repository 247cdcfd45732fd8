import type { Pod, PodCondition, PodStatus } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { pause } from '../../client/backoff.ts';
import type { Client } from '../../client/client.ts';
import { Pods } from '../../client/resource-types.gen.ts';
import { messageOf } from '../containers/container-error.ts';
import { OWNED_CONDITIONS } from './pod-conditions.ts';

/** Tells the API server the statuses of pods: the latest of each, one call at a time, again until it is taken. */
export interface StatusManager {
  /** The last status given to `set`. */
  get(uid: string): PodStatus | undefined;
  set(pod: Pod, status: PodStatus): void;
  /** Resolves when the latest status of the pod is told, or the pod is gone. */
  flush(uid: string): Promise<void>;
  forget(uid: string): void;
  stop(): Promise<void>;
}

interface Entry {
  pod: Pod;
  status: PodStatus;
  told: string | undefined;
  sending: Promise<void> | undefined;
}

const RETRY_MS = [100, 500, 1000, 2000, 5000];

export function createStatusManager({ client, logger }: { client: Client; logger: Logger }): StatusManager {
  const entries = new Map<string, Entry>();
  const abort = new AbortController();

  async function send(uid: string, entry: Entry): Promise<void> {
    for (let attempt = 0; !abort.signal.aborted && entries.get(uid) === entry; attempt++) {
      const wanted = JSON.stringify(entry.status);
      if (wanted === entry.told) return;
      const { pod, status } = entry;
      try {
        const { name, namespace = 'default' } = pod.metadata;
        await client.for(Pods).patch({ namespace, name }, 'strategic', statusPatch(pod, entry.told, status), {
          subresource: 'status',
          signal: abort.signal,
        });
        entry.told = wanted;
        attempt = -1;
      } catch (error) {
        if (isStatusError(error, 'NotFound')) return;
        // The uid in the patch tells a pod of the same name that is another one.
        if (isStatusError(error, 'Conflict') || isStatusError(error, 'Invalid')) {
          logger.debug({ pod: pod.metadata.name, error: messageOf(error) }, 'a pod status was refused');
          if (attempt >= RETRY_MS.length) return;
        } else if (!abort.signal.aborted && attempt > 0)
          logger.warn({ pod: pod.metadata.name, error: messageOf(error) }, 'a pod status could not be told');
        await pause(RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)] ?? 1000, abort.signal);
      }
    }
  }

  function start(uid: string, entry: Entry): void {
    entry.sending ??= send(uid, entry).finally(() => {
      entry.sending = undefined;
      // A status that came while the last answer was on its way.
      if (
        !abort.signal.aborted &&
        entries.get(uid) === entry &&
        JSON.stringify(entry.status) !== entry.told &&
        entry.told !== undefined
      )
        start(uid, entry);
    });
  }

  return {
    get: (uid) => entries.get(uid)?.status,
    set(pod, status) {
      const uid = pod.metadata.uid ?? '';
      const entry = entries.get(uid) ?? { pod, status, told: undefined, sending: undefined };
      entry.pod = pod;
      entry.status = status;
      entries.set(uid, entry);
      start(uid, entry);
    },
    async flush(uid) {
      await entries.get(uid)?.sending;
    },
    forget(uid) {
      entries.delete(uid);
    },
    async stop() {
      const open = [...entries.values()].map(({ sending }) => sending);
      const timer = setTimeout(() => abort.abort(), 500);
      await Promise.allSettled(open);
      clearTimeout(timer);
      abort.abort();
    },
  };
}

/** Only what differs from what was told; a field that went away is null. Conditions merge by type, so all of ours go along. */
function statusPatch(pod: Pod, told: string | undefined, status: PodStatus): object {
  const before = (told ? JSON.parse(told) : (pod.status ?? {})) as Record<string, unknown>;
  const patch: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(status)) {
    if (JSON.stringify(before[field]) !== JSON.stringify(value)) patch[field] = value;
  }
  patch.conditions = conditionsPatch(before.conditions as readonly PodCondition[] | undefined, status.conditions ?? []);
  for (const field of ['message', 'reason', 'podIP', 'podIPs', 'initContainerStatuses', 'ephemeralContainerStatuses']) {
    if (before[field] !== undefined && status[field as keyof PodStatus] === undefined) patch[field] = null;
  }
  // Lists of addresses merge by ip: what is not listed any more has to be said.
  for (const field of ['podIPs', 'hostIPs']) {
    const now = patch[field] as { ip: string }[] | null | undefined;
    const gone = ((before[field] ?? []) as { ip: string }[]).filter(({ ip }) => !now?.some((one) => one.ip === ip));
    if (Array.isArray(now) && gone.length) patch[field] = [...now, ...gone.map(({ ip }) => ({ ip, $patch: 'delete' }))];
  }
  return { metadata: { uid: pod.metadata.uid }, status: patch };
}

/** Conditions merge field by field: what one lost has to be said too, and which are gone. */
function conditionsPatch(before: readonly PodCondition[] | undefined, conditions: readonly PodCondition[]): object[] {
  const gone = (before ?? []).filter(
    ({ type }) => OWNED_CONDITIONS.has(type) && !conditions.some((condition) => condition.type === type),
  );
  const told = conditions.map((condition) => {
    const old = before?.find(({ type }) => type === condition.type);
    const lost = (['reason', 'message'] as const).filter(
      (field) => old?.[field] !== undefined && condition[field] === undefined,
    );
    return { ...condition, ...Object.fromEntries(lost.map((field) => [field, null])) };
  });
  return [...told, ...gone.map(({ type }) => ({ type, $patch: 'delete' }))];
}
