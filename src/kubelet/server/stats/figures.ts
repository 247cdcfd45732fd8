import { readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import os from 'node:os';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import type { KubeletPods } from '../../kubelet-pods.ts';
import type { ContainerRuntime, ContainerStats, RuntimeContainerStatus } from '../../runtime/container-runtime.ts';

/** CPU since some start, memory now. Absent figures are not known. Times are epoch milliseconds. */
export interface Usage {
  readonly time: number;
  readonly startTime?: number;
  readonly cpuCoreNanoSeconds?: number;
  /** Over the time between the last two readings. */
  readonly cpuNanoCores?: number;
  readonly memoryWorkingSetBytes?: number;
  readonly memoryUsageBytes?: number;
  readonly memoryRssBytes?: number;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
}

export interface ContainerFigures extends Usage {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly rootfsUsedBytes?: number;
  readonly rootfsInodesUsed?: number;
}

export interface PodFigures {
  readonly pod: Pod;
  readonly startTime: number;
  readonly containers: readonly ContainerFigures[];
}

export interface FilesystemFigures {
  readonly capacityBytes: number;
  readonly availableBytes: number;
  readonly usedBytes: number;
  readonly inodes: number;
  readonly inodesFree: number;
}

export interface NodeFigures {
  readonly node: Usage & { readonly memoryAvailableBytes: number };
  readonly filesystem: FilesystemFigures | undefined;
  readonly pods: readonly PodFigures[];
}

export interface FiguresOptions {
  readonly pods: KubeletPods;
  readonly runtime: ContainerRuntime;
  readonly dataDir: string | undefined;
}

/** No more than one reading in this time: rates need some, and readers come together. */
const REUSE_MS = 1_000;

/** Reads what node, pods and containers use, when somebody asks. */
export class Figures {
  readonly #options: FiguresOptions;
  readonly #before = new Map<string, { readonly time: number; readonly cpu: number; readonly rate?: number }>();
  #reading: { readonly at: number; readonly figures: Promise<NodeFigures> } | undefined;

  constructor(options: FiguresOptions) {
    this.#options = options;
  }

  read(): Promise<NodeFigures> {
    if (this.#reading && Date.now() - this.#reading.at < REUSE_MS) return this.#reading.figures;
    const figures = this.#read();
    this.#reading = { at: Date.now(), figures };
    figures.catch(() => {
      this.#reading = undefined;
    });
    return figures;
  }

  async #read(): Promise<NodeFigures> {
    const { pods, runtime, dataDir } = this.#options;
    const [stats, filesystem] = await Promise.all([
      runtime.stats.containers(),
      filesystemFigures(dataDir ?? os.tmpdir()),
    ]);
    const byId = new Map(stats.map((entry) => [entry.id, entry]));
    const seen = new Set<string>(['/']);
    const podFigures: PodFigures[] = [];
    for (const pod of pods.list()) {
      const runtimePod = pods.runtimePod(pod.metadata.uid ?? '');
      const running = runtimePod?.containers.filter(({ state }) => state === 'running') ?? [];
      if (running.length === 0) continue;
      const containers = running.flatMap((container) => {
        const entry = byId.get(container.id);
        if (!entry) return [];
        seen.add(container.id);
        return [this.#container(container, entry)];
      });
      podFigures.push({ pod, startTime: Date.parse(pod.status?.startTime ?? '') || running[0]!.startedAt, containers });
    }
    for (const id of this.#before.keys()) if (!seen.has(id)) this.#before.delete(id);
    return { node: this.#node(podFigures), filesystem, pods: podFigures };
  }

  #container(container: RuntimeContainerStatus, stats: ContainerStats): ContainerFigures {
    const { timestamp, cpuUsageCoreNanoSeconds: cpu } = stats;
    const rate = cpu === undefined ? undefined : this.#rate(container.id, timestamp, cpu);
    return {
      id: container.id,
      name: container.name,
      image: container.image,
      time: timestamp,
      startTime: container.startedAt,
      ...optional('cpuCoreNanoSeconds', cpu),
      ...optional('cpuNanoCores', rate),
      ...optional('memoryWorkingSetBytes', stats.memoryWorkingSetBytes),
      ...optional('memoryUsageBytes', stats.memoryUsageBytes),
      ...optional('memoryRssBytes', stats.memoryRssBytes),
      ...optional('pageFaults', stats.pageFaults),
      ...optional('majorPageFaults', stats.majorPageFaults),
      ...optional('rootfsUsedBytes', stats.writableLayerBytes),
      ...optional('rootfsInodesUsed', stats.writableLayerInodes),
    };
  }

  /** The machine's own figures; of a simulated node, what its pods come to. */
  #node(pods: readonly PodFigures[]): NodeFigures['node'] {
    const time = Date.now();
    const startTime = time - os.uptime() * 1000;
    if (!this.#options.runtime.realProcesses) {
      const sum = (name: 'cpuCoreNanoSeconds' | 'cpuNanoCores' | 'memoryWorkingSetBytes') =>
        pods.reduce(
          (total, { containers }) => total + containers.reduce((part, usage) => part + (usage[name] ?? 0), 0),
          0,
        );
      const memoryWorkingSetBytes = sum('memoryWorkingSetBytes');
      return {
        time,
        startTime,
        cpuCoreNanoSeconds: sum('cpuCoreNanoSeconds'),
        cpuNanoCores: sum('cpuNanoCores'),
        memoryWorkingSetBytes,
        memoryAvailableBytes: Math.max(0, os.totalmem() - memoryWorkingSetBytes),
      };
    }
    const cpu = os.cpus().reduce((sum, { times }) => sum + times.user + times.nice + times.sys + times.irq, 0) * 1e6;
    const memory = memoryInfo();
    const total = memory.get('MemTotal') ?? os.totalmem();
    const available = memory.get('MemAvailable') ?? os.freemem();
    return {
      time,
      startTime,
      cpuCoreNanoSeconds: cpu,
      ...optional('cpuNanoCores', this.#rate('/', time, cpu)),
      memoryUsageBytes: total - (memory.get('MemFree') ?? os.freemem()),
      memoryWorkingSetBytes: total - available,
      ...optional('memoryRssBytes', memory.get('AnonPages')),
      memoryAvailableBytes: available,
    };
  }

  #rate(id: string, time: number, cpu: number): number | undefined {
    const before = this.#before.get(id);
    if (before && time <= before.time) return before.rate;
    const rate = before ? Math.max(0, Math.round((cpu - before.cpu) / ((time - before.time) / 1000))) : undefined;
    this.#before.set(id, { time, cpu, ...optional('rate', rate) });
    return rate;
  }
}

export function optional<K extends string>(name: K, value: number | undefined): { readonly [P in K]?: number } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]: number });
}

async function filesystemFigures(path: string): Promise<FilesystemFigures | undefined> {
  const stats = await statfs(path).catch(() => undefined);
  if (!stats) return undefined;
  return {
    capacityBytes: stats.blocks * stats.bsize,
    availableBytes: stats.bavail * stats.bsize,
    usedBytes: (stats.blocks - stats.bfree) * stats.bsize,
    inodes: stats.files,
    inodesFree: stats.ffree,
  };
}

/** Bytes by name, of /proc/meminfo; empty where there is none. */
function memoryInfo(): ReadonlyMap<string, number> {
  try {
    return new Map(
      [...readFileSync('/proc/meminfo', 'utf8').matchAll(/^(\w+):\s+(\d+) kB$/gm)].map(([, name, kilobytes]) => [
        name!,
        Number(kilobytes) * 1024,
      ]),
    );
  } catch {
    return new Map();
  }
}
