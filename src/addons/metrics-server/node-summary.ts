/** What is read of a kubelet's `/stats/summary` (stats.v1alpha1.Summary). */
export interface NodeSummary {
  readonly node: StatsOf & { readonly nodeName?: string };
  readonly pods?: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string; readonly uid?: string };
    readonly containers?: readonly (StatsOf & { readonly name: string })[];
  }[];
}

interface StatsOf {
  readonly startTime?: string;
  readonly cpu?: { readonly time?: string; readonly usageCoreNanoSeconds?: number; readonly usageNanoCores?: number };
  readonly memory?: { readonly time?: string; readonly workingSetBytes?: number };
}

/** One reading. Epoch milliseconds, nanoseconds of CPU since `startTime`, bytes. */
export interface Reading {
  readonly time: number;
  readonly startTime: number;
  readonly cpuNanoSeconds: number;
  /** The kubelet's own rate, if it has one. */
  readonly cpuNanoCores: number | undefined;
  readonly memoryBytes: number;
}

export interface PodReadings {
  readonly namespace: string;
  readonly name: string;
  /** By container. */
  readonly containers: ReadonlyMap<string, Reading>;
}

export interface NodeReadings {
  readonly node: Reading | undefined;
  readonly pods: readonly PodReadings[];
}

/** A pod with a container that has no figures yet is left out: its sum would be wrong. */
export function readSummary(summary: NodeSummary): NodeReadings {
  const pods: PodReadings[] = [];
  for (const { podRef, containers = [] } of summary.pods ?? []) {
    const readings = new Map<string, Reading>();
    for (const container of containers) {
      const reading = readingOf(container);
      if (reading) readings.set(container.name, reading);
    }
    if (readings.size > 0 && readings.size === containers.length)
      pods.push({ namespace: podRef.namespace, name: podRef.name, containers: readings });
  }
  return { node: readingOf(summary.node), pods };
}

function readingOf({ startTime, cpu, memory }: StatsOf): Reading | undefined {
  const time = Date.parse(cpu?.time ?? memory?.time ?? '');
  if (Number.isNaN(time) || cpu?.usageCoreNanoSeconds === undefined || memory?.workingSetBytes === undefined)
    return undefined;
  return {
    time,
    startTime: Date.parse(startTime ?? '') || 0,
    cpuNanoSeconds: cpu.usageCoreNanoSeconds,
    cpuNanoCores: cpu.usageNanoCores,
    memoryBytes: memory.workingSetBytes,
  };
}
