import type { ContainerRuntime, Stats } from '../container-runtime.ts';
import { createPodAddresses, type PodAddresses } from './pod-addresses.ts';
import { createRecords, type Records } from './records.ts';
import { createSimulatedContainers } from './simulated-containers.ts';
import { createSimulatedImages } from './simulated-images.ts';
import { createSimulatedLogs } from './simulated-logs.ts';
import { createSimulatedSandboxes } from './simulated-sandboxes.ts';
import { createSimulatedStreaming } from './simulated-streaming.ts';

export interface SimulatedRuntimeOptions {
  /** Nodes of one cluster share it, or have one each over ranges of their own. Addresses of 10.244.0.0/16 when absent. */
  readonly addresses?: PodAddresses;
  /** How long containers run that come to an end (those of Jobs, init containers) unless an annotation says; 1000 ms when absent. */
  readonly completionMs?: number;
  readonly now?: () => number;
}

const DEFAULT_RANGE = '10.244.0.0/16';
const VERSION = '1.0.0';

/**
 * Pods without processes, for clusters without root and for scale: records in memory that go through the states of the real
 * thing. Annotations of the pod say how its containers behave: see behaviour.ts. A pod that just runs costs no timer.
 */
export function createSimulatedRuntime(options: SimulatedRuntimeOptions = {}): ContainerRuntime {
  const now = options.now ?? Date.now;
  const addresses = options.addresses ?? createPodAddresses(DEFAULT_RANGE);
  const records = createRecords();
  const listeners = new Set<(podUid: string) => void>();
  const images = createSimulatedImages();
  const containers = createSimulatedContainers({
    records,
    images,
    completionMs: options.completionMs ?? 1000,
    now,
    onExit(podUid) {
      for (const listener of listeners) listener(podUid);
    },
  });
  return {
    realProcesses: false,
    sandboxes: createSimulatedSandboxes({ records, addresses, now, kill: containers.kill }),
    containers,
    images,
    streaming: createSimulatedStreaming(records, containers.closeStdin),
    stats: statsOf(records, now),
    logs: createSimulatedLogs(records),
    async info() {
      return { name: 'simulated', version: VERSION, apiVersion: 'v1' };
    },
    async status() {
      const network = addresses.ready
        ? { type: 'NetworkReady', status: true, reason: '', message: '' }
        : {
            type: 'NetworkReady',
            status: false,
            reason: 'NetworkPluginNotReady',
            message: 'Network plugin returns error: the node has no pod range yet',
          };
      return { conditions: [{ type: 'RuntimeReady', status: true, reason: '', message: '' }, network], handlers: [] };
    },
    subscribe(onChange) {
      listeners.add(onChange);
      return { complete: true, stop: () => void listeners.delete(onChange) };
    },
    async close() {
      listeners.clear();
      containers.close();
    },
  };
}

/** Running containers use what their annotations say, all the time. */
function statsOf(records: Records, now: () => number): Stats {
  return {
    async containers(filter) {
      const timestamp = now();
      return records
        .containers(filter)
        .filter(({ state }) => state === 'running')
        .map(({ id, name, labels, startedAt, behaviour }) => ({
          id,
          name,
          labels,
          timestamp,
          cpuUsageCoreNanoSeconds: Math.round((timestamp - startedAt) * behaviour.cpuMillicores * 1000),
          memoryWorkingSetBytes: behaviour.memoryBytes,
          memoryUsageBytes: behaviour.memoryBytes,
          memoryRssBytes: behaviour.memoryBytes,
          pageFaults: 0,
          majorPageFaults: 0,
          writableLayerBytes: 0,
          writableLayerInodes: 0,
        }));
    },
  };
}
