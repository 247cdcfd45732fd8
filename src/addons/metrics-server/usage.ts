import type { NodeReadings, PodReadings, Reading } from './node-summary.ts';

/** Over the window that ends at `time`. Epoch milliseconds, billionths of a core, bytes. */
export interface Usage {
  readonly time: number;
  readonly windowMs: number;
  readonly cpuNanoCores: number;
  readonly memoryBytes: number;
}

export interface PodUsage {
  readonly namespace: string;
  readonly name: string;
  readonly containers: ReadonlyMap<string, Usage>;
}

/** Usages of all nodes and pods, from the last two readings of each node. */
export interface UsageStore {
  /** Takes the latest readings of a node. */
  add(node: string, readings: NodeReadings): void;
  /** Of a node that is gone or silent: nothing is told about it and its pods any more. */
  forget(node: string): void;
  nodes(): readonly string[];
  node(name: string): Usage | undefined;
  pod(namespace: string, name: string): PodUsage | undefined;
}

interface NodeEntry {
  readonly readings: NodeReadings;
  readonly usage: Usage | undefined;
  /** By `namespace/name`. */
  readonly pods: ReadonlyMap<string, PodUsage>;
}

/** What started since the last reading is measured from its start, once that is long enough ago to mean something. */
const FRESH_MIN_MS = 10_000;
/** A mean over longer than that says nothing about now. */
const FRESH_MAX_MS = 60_000;

export function createUsageStore(): UsageStore {
  const entries = new Map<string, NodeEntry>();
  /** Which node tells about a pod. */
  const nodeOf = new Map<string, string>();
  const keyOf = ({ namespace, name }: { namespace: string; name: string }) => `${namespace}/${name}`;

  function forgetPods(node: string): void {
    for (const key of entries.get(node)?.pods.keys() ?? []) if (nodeOf.get(key) === node) nodeOf.delete(key);
  }

  return {
    add(node, readings) {
      const before = entries.get(node);
      const podsBefore = new Map(before?.readings.pods.map((pod) => [keyOf(pod), pod]));
      const pods = new Map<string, PodUsage>();
      for (const pod of readings.pods) {
        const key = keyOf(pod);
        const usage = podUsage(pod, podsBefore.get(key)) ?? keptUsage(pod, before?.pods.get(key));
        if (usage) pods.set(key, usage);
      }
      const usage =
        readings.node &&
        (usageBetween(before?.readings.node, readings.node) ??
          (before?.readings.node?.time === readings.node.time ? before.usage : undefined));
      forgetPods(node);
      entries.set(node, { readings, usage, pods });
      for (const key of pods.keys()) nodeOf.set(key, node);
    },
    forget(node) {
      forgetPods(node);
      entries.delete(node);
    },
    nodes: () => [...entries.keys()],
    node: (name) => entries.get(name)?.usage,
    pod(namespace, name) {
      const key = `${namespace}/${name}`;
      return entries.get(nodeOf.get(key) ?? '')?.pods.get(key);
    },
  };
}

function podUsage(pod: PodReadings, before: PodReadings | undefined): PodUsage | undefined {
  const containers = new Map<string, Usage>();
  for (const [name, reading] of pod.containers) {
    const usage = usageBetween(before?.containers.get(name), reading);
    if (!usage) return undefined;
    containers.set(name, usage);
  }
  return { namespace: pod.namespace, name: pod.name, containers };
}

/** The kubelet answered with the readings it gave before: what was told stays. */
function keptUsage(pod: PodReadings, before: PodUsage | undefined): PodUsage | undefined {
  if (!before || before.containers.size !== pod.containers.size) return undefined;
  for (const [name, { time }] of pod.containers) if (before.containers.get(name)?.time !== time) return undefined;
  return before;
}

function usageBetween(before: Reading | undefined, after: Reading): Usage | undefined {
  const { time, memoryBytes } = after;
  if (before && time <= before.time) return undefined;
  const fromStart =
    before === undefined || after.startTime > before.time || after.cpuNanoSeconds < before.cpuNanoSeconds;
  const windowMs = time - (fromStart ? after.startTime : before.time);
  if (fromStart && (windowMs < FRESH_MIN_MS || windowMs > FRESH_MAX_MS)) {
    // A sum over pods, as that of a simulated node, may shrink.
    if (after.cpuNanoCores === undefined) return undefined;
    return { time, windowMs: FRESH_MIN_MS, cpuNanoCores: after.cpuNanoCores, memoryBytes };
  }
  const used = after.cpuNanoSeconds - (fromStart ? 0 : before.cpuNanoSeconds);
  return { time, windowMs, cpuNanoCores: (used / windowMs) * 1000, memoryBytes };
}
