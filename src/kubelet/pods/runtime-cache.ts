import type { Logger } from '../../apimachinery/logger.ts';
import { messageOf } from '../containers/container-error.ts';
import { KUBELET_LABEL } from '../containers/container-labels.ts';
import {
  type ContainerRuntime,
  POD_NAME_LABEL,
  POD_NAMESPACE_LABEL,
  POD_UID_LABEL,
  type PodSandbox,
  type PodSandboxStatus,
  type RuntimeContainer,
  type RuntimeContainerStatus,
} from '../runtime/container-runtime.ts';
import { isRuntimeError } from '../runtime/runtime-error.ts';
import { emptyRuntimePod, type RuntimePod } from './runtime-pod.ts';

const RELIST_MS = 1000;
const RELIST_WITH_EVENTS_MS = 60_000;
/** CRI learns of an exit a little after containerd tells of it. */
const SETTLE_MS = [0, 60, 250];
const HEALTHY_MS = 180_000;

export interface RuntimeCacheOptions {
  readonly runtime: ContainerRuntime;
  /** Only sandboxes and containers with this label value are ours. */
  readonly instance: string;
  readonly logger: Logger;
  onChange(uid: string): void;
}

/**
 * What the runtime has, per pod: listed every second (or told by the runtime) and at once after our own actions. Pods whose
 * sandboxes and containers are in the same states as before cost no more than their line in the list.
 */
export interface RuntimeCache {
  start(): Promise<void>;
  stop(): void;
  get(uid: string): RuntimePod | undefined;
  list(): readonly RuntimePod[];
  /** Reads one pod anew. */
  refresh(uid: string): Promise<RuntimePod>;
  /** False when the runtime has not answered for minutes. */
  readonly healthy: boolean;
}

export function createRuntimeCache({ runtime, instance, logger, onChange }: RuntimeCacheOptions): RuntimeCache {
  const pods = new Map<string, RuntimePod>();
  const applied = new Map<string, number>();
  let lists = 0;
  const timers = new Set<NodeJS.Timeout>();
  let subscription: { readonly complete: boolean; stop(): void } | undefined;
  let stopped = false;
  let relisting: Promise<void> | undefined;
  let again = false;
  let answeredAt = Date.now();
  let failing = false;

  async function read(
    uid: string,
    sandboxes: readonly PodSandbox[],
    containers: readonly RuntimeContainer[],
  ): Promise<RuntimePod> {
    const known = pods.get(uid);
    const newestFirst = (a: { createdAt: number }, b: { createdAt: number }) => b.createdAt - a.createdAt;
    const [sandboxStatuses, containerStatuses] = await Promise.all([
      Promise.all(sandboxes.map((sandbox) => sandboxStatus(sandbox, known))),
      Promise.all(containers.map((container) => containerStatus(container, known))),
    ]);
    const labels = sandboxes[0]?.labels ?? containers[0]?.labels;
    return {
      uid,
      name: labels?.[POD_NAME_LABEL] ?? '',
      namespace: labels?.[POD_NAMESPACE_LABEL] ?? '',
      sandboxes: sandboxStatuses.filter((status) => status !== undefined).sort(newestFirst),
      containers: containerStatuses.filter((status) => status !== undefined).sort(newestFirst),
    };
  }

  /** Undefined for one that went away between the list and now. */
  async function sandboxStatus(
    sandbox: PodSandbox,
    known: RuntimePod | undefined,
  ): Promise<PodSandboxStatus | undefined> {
    const before = known?.sandboxes.find(({ id }) => id === sandbox.id);
    if (before && before.state === sandbox.state) return before;
    return await unlessGone(runtime.sandboxes.status(sandbox.id));
  }

  async function containerStatus(
    container: RuntimeContainer,
    known: RuntimePod | undefined,
  ): Promise<RuntimeContainerStatus | undefined> {
    const before = known?.containers.find(({ id }) => id === container.id);
    if (before && before.state === container.state) return before;
    const status = await unlessGone(runtime.containers.status(container.id));
    return status && { ...status, sandboxId: container.sandboxId };
  }

  async function relist(): Promise<void> {
    const listed = ++lists;
    const labels = { [KUBELET_LABEL]: instance };
    const [sandboxes, containers] = await Promise.all([
      runtime.sandboxes.list({ labels }),
      runtime.containers.list({ labels }),
    ]);
    const sandboxesOf = groupByPod(sandboxes);
    const containersOf = groupByPod(containers);
    answeredAt = Date.now();
    const uids = new Set([...sandboxesOf.keys(), ...containersOf.keys(), ...pods.keys()]);
    await Promise.all(
      [...uids].map((uid) => update(uid, sandboxesOf.get(uid) ?? [], containersOf.get(uid) ?? [], listed)),
    );
  }

  /** `listed` orders the lists: an older one that comes late does not undo a newer one. */
  async function update(
    uid: string,
    sandboxes: readonly PodSandbox[],
    containers: readonly RuntimeContainer[],
    listed: number,
  ): Promise<RuntimePod> {
    const before = pods.get(uid);
    if (before && same(before, sandboxes, containers)) {
      if ((applied.get(uid) ?? 0) < listed) applied.set(uid, listed);
      return before;
    }
    const after = await read(uid, sandboxes, containers);
    if ((applied.get(uid) ?? 0) > listed) return after;
    applied.set(uid, listed);
    if (after.sandboxes.length === 0 && after.containers.length === 0) {
      pods.delete(uid);
      applied.delete(uid);
      if (before) onChange(uid);
      return emptyRuntimePod(uid, before?.name, before?.namespace);
    }
    pods.set(uid, after);
    onChange(uid);
    return after;
  }

  function relistSoon(): Promise<void> {
    if (relisting) {
      again = true;
      return relisting;
    }
    relisting = (async () => {
      do {
        again = false;
        try {
          await relist();
          if (failing) logger.info({}, 'the container runtime answers again');
          failing = false;
        } catch (error) {
          if (!stopped && !failing)
            logger.warn({ error: messageOf(error) }, 'listing pods of the container runtime failed');
          failing = true;
        }
      } while (again && !stopped);
    })().finally(() => {
      relisting = undefined;
    });
    return relisting;
  }

  function after(ms: number, action: () => void): void {
    const timer = setTimeout(() => {
      timers.delete(timer);
      if (!stopped) action();
    }, ms);
    timer.unref();
    timers.add(timer);
  }

  function poll(): void {
    after(subscription?.complete ? RELIST_WITH_EVENTS_MS : RELIST_MS, () => void relistSoon().then(poll));
  }

  async function refresh(uid: string): Promise<RuntimePod> {
    const labels = { [POD_UID_LABEL]: uid, [KUBELET_LABEL]: instance };
    const listed = ++lists;
    const [sandboxes, containers] = await Promise.all([
      runtime.sandboxes.list({ labels }),
      runtime.containers.list({ labels }),
    ]);
    return await update(uid, sandboxes, containers, listed);
  }

  return {
    async start() {
      await relist();
      let settling = false;
      subscription = runtime.subscribe?.((uid) => {
        if (uid !== undefined)
          return void refresh(uid).catch((error) =>
            logger.debug({ error: messageOf(error) }, 'a pod could not be read'),
          );
        if (settling) return;
        settling = true;
        for (const ms of SETTLE_MS) after(ms, () => void relistSoon());
        after(SETTLE_MS[1] ?? 0, () => {
          settling = false;
        });
      });
      poll();
    },
    stop() {
      stopped = true;
      subscription?.stop();
      for (const timer of timers) clearTimeout(timer);
    },
    get: (uid) => pods.get(uid),
    list: () => [...pods.values()],
    refresh,
    get healthy() {
      return Date.now() - answeredAt < HEALTHY_MS;
    },
  };
}

function groupByPod<T extends { readonly labels: Readonly<Record<string, string>> }>(
  items: readonly T[],
): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const uid = item.labels[POD_UID_LABEL];
    if (!uid) continue;
    const group = groups.get(uid);
    if (group) group.push(item);
    else groups.set(uid, [item]);
  }
  return groups;
}

function same(pod: RuntimePod, sandboxes: readonly PodSandbox[], containers: readonly RuntimeContainer[]): boolean {
  const equal = (known: readonly { id: string; state: string }[], listed: readonly { id: string; state: string }[]) =>
    known.length === listed.length &&
    listed.every(({ id, state }) => known.some((one) => one.id === id && one.state === state));
  return equal(pod.sandboxes, sandboxes) && equal(pod.containers, containers);
}

async function unlessGone<T>(call: Promise<T>): Promise<T | undefined> {
  try {
    return await call;
  } catch (error) {
    if (isRuntimeError(error, 'NotFound')) return undefined;
    throw error;
  }
}
