import {
  type ContainerFigures,
  type FilesystemFigures,
  type NodeFigures,
  optional,
  type PodFigures,
  type Usage,
} from './figures.ts';

const time = (ms: number) => new Date(ms).toISOString();

/** `/stats/summary` of the kubelet: stats.v1alpha1.Summary. */
export function statsSummary(nodeName: string, { node, filesystem, pods }: NodeFigures): object {
  return {
    node: {
      nodeName,
      startTime: time(node.startTime ?? node.time),
      cpu: cpu(node),
      memory: { ...memory(node), availableBytes: node.memoryAvailableBytes },
      ...(filesystem
        ? { fs: fileSystem(filesystem, node.time), runtime: { imageFs: fileSystem(filesystem, node.time) } }
        : {}),
    },
    pods: pods.map((figures) => podStats(figures, filesystem)),
  };
}

function podStats({ pod, startTime, containers }: PodFigures, filesystem: FilesystemFigures | undefined): object {
  const { name, namespace, uid } = pod.metadata;
  const total = totalOf(containers);
  return {
    podRef: { name, namespace: namespace ?? '', uid: uid ?? '' },
    startTime: time(startTime),
    containers: containers.map((figures) => containerStats(figures, filesystem)),
    ...(total ? { cpu: cpu(total), memory: memory(total) } : {}),
  };
}

function containerStats(figures: ContainerFigures, filesystem: FilesystemFigures | undefined): object {
  return {
    name: figures.name,
    startTime: time(figures.startTime ?? figures.time),
    cpu: cpu(figures),
    memory: memory(figures),
    ...(filesystem && figures.rootfsUsedBytes !== undefined
      ? {
          rootfs: {
            ...fileSystem(filesystem, figures.time),
            usedBytes: figures.rootfsUsedBytes,
            ...optional('inodesUsed', figures.rootfsInodesUsed),
          },
        }
      : {}),
  };
}

/** What the containers of a pod use together; undefined when nothing is known of any. */
export function totalOf(containers: readonly Usage[]): Usage | undefined {
  if (containers.length === 0) return undefined;
  const sum = <K extends keyof Usage>(name: K) => {
    const known = containers.map((figures) => figures[name]).filter((value) => value !== undefined);
    return optional(name, known.length ? known.reduce((total: number, value) => total + value, 0) : undefined);
  };
  return {
    time: Math.max(...containers.map((figures) => figures.time)),
    ...sum('cpuCoreNanoSeconds'),
    ...sum('cpuNanoCores'),
    ...sum('memoryWorkingSetBytes'),
    ...sum('memoryUsageBytes'),
    ...sum('memoryRssBytes'),
    ...sum('pageFaults'),
    ...sum('majorPageFaults'),
  };
}

function cpu(usage: Usage): object {
  return {
    time: time(usage.time),
    ...optional('usageNanoCores', usage.cpuNanoCores),
    ...optional('usageCoreNanoSeconds', usage.cpuCoreNanoSeconds),
  };
}

function memory(usage: Usage): object {
  return {
    time: time(usage.time),
    ...optional('usageBytes', usage.memoryUsageBytes),
    ...optional('workingSetBytes', usage.memoryWorkingSetBytes),
    ...optional('rssBytes', usage.memoryRssBytes),
    ...optional('pageFaults', usage.pageFaults),
    ...optional('majorPageFaults', usage.majorPageFaults),
  };
}

function fileSystem(
  { capacityBytes, availableBytes, usedBytes, inodes, inodesFree }: FilesystemFigures,
  at: number,
): object {
  return {
    time: time(at),
    availableBytes,
    capacityBytes,
    usedBytes,
    inodes,
    inodesFree,
    inodesUsed: inodes - inodesFree,
  };
}
