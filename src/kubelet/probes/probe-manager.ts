import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ProbeResults } from '../pods/pod-actions.ts';
import type { PodEvents } from '../pods/pod-events.ts';
import type { Readiness } from '../pods/pod-status.ts';
import { isRestartableInit } from '../pods/restart-policy.ts';
import { findContainer, podIPsOf, type RuntimePod } from '../pods/runtime-pod.ts';
import type { Containers } from '../runtime/container-runtime.ts';
import type { ProbeKind } from './probe-result.ts';
import { type ProbeWorker, startProbeWorker } from './probe-worker.ts';
import { runProbe } from './prober.ts';

export interface ProbeManagerOptions {
  readonly containers: Containers;
  readonly logger: Logger;
  readonly now?: () => number;
  runtimePod(uid: string): RuntimePod | undefined;
  hostIP(): string;
  eventsOf(pod: Pod): PodEvents;
  /** A result changed: the pod's status, or what runs of it, may have to. */
  onChange(podUid: string): void;
}

/** Runs the probes of all pods and knows their latest results. */
export interface ProbeManager extends Readiness, ProbeResults {
  add(pod: Pod): void;
  /** The runtime's view of the pod changed: probes that wait for that run now. */
  poke(podUid: string): void;
  /** Before termination: nothing is restarted any more, but readiness still tells. */
  stopLivenessAndStartup(podUid: string): void;
  remove(podUid: string): void;
  stop(): void;
}

interface PodProbes {
  readonly workers: Map<string, ProbeWorker>;
  terminating: boolean;
  pod: Pod;
}

export function createProbeManager(options: ProbeManagerOptions): ProbeManager {
  const pods = new Map<string, PodProbes>();
  /** Ids of running containers whose workers have been told of them. */
  const owners = new Map<string, string>();
  const keyOf = (container: string, kind: ProbeKind) => `${container}/${kind}`;

  function startWorker(entry: PodProbes, uid: string, container: Container, kind: ProbeKind): void {
    const probe = container[`${kind}Probe`];
    const key = keyOf(container.name, kind);
    if (!probe || entry.workers.has(key)) return;
    const worker = startProbeWorker({
      pod: entry.pod,
      container,
      kind,
      probe,
      events: options.eventsOf(entry.pod),
      logger: options.logger,
      now: options.now ?? Date.now,
      current() {
        const runtime = options.runtimePod(uid);
        const podIP = entry.pod.spec.hostNetwork ? options.hostIP() : ((runtime && podIPsOf(runtime)[0]) ?? '');
        return { status: runtime && findContainer(runtime, container.name), podIP, terminating: entry.terminating };
      },
      started: (id) => isStarted(uid, container.name, id),
      async run(id, podIP) {
        if (!options.containers.answerHandler)
          return await runProbe(options.containers, entry.pod, container, probe, id, podIP);
        const failure = await options.containers.answerHandler(id, kind);
        return failure === undefined ? { result: 'success', output: '' } : { result: 'failure', output: failure };
      },
      onResult(id, result) {
        owners.set(id, uid);
        if (kind === 'startup' && result === 'success') {
          for (const other of ['liveness', 'readiness'] as const)
            entry.workers.get(keyOf(container.name, other))?.poke();
        }
        options.onChange(uid);
      },
    });
    entry.workers.set(key, worker);
  }

  function isStarted(uid: string, container: string, id: string): boolean {
    const worker = pods.get(uid)?.workers.get(keyOf(container, 'startup'));
    return !worker || worker.result(id) === 'success';
  }

  const lookUp = (id: string, kind: ProbeKind) => {
    const entry = pods.get(owners.get(id) ?? '');
    for (const worker of entry?.workers.values() ?? []) {
      if (worker.kind !== kind) continue;
      const result = worker.result(id);
      if (result) return result;
    }
    return undefined;
  };

  return {
    add(pod) {
      const uid = pod.metadata.uid ?? '';
      const entry = pods.get(uid) ?? { workers: new Map<string, ProbeWorker>(), terminating: false, pod };
      entry.pod = pod;
      const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
      const containers = [...sidecars, ...pod.spec.containers];
      if (
        !containers.some(
          ({ startupProbe, livenessProbe, readinessProbe }) => startupProbe || livenessProbe || readinessProbe,
        )
      )
        return;
      pods.set(uid, entry);
      for (const container of containers)
        for (const kind of ['startup', 'liveness', 'readiness'] as const) startWorker(entry, uid, container, kind);
    },
    poke(uid) {
      const entry = pods.get(uid);
      const runtime = options.runtimePod(uid);
      if (!entry || !runtime) return;
      for (const [key, worker] of entry.workers) {
        const status = findContainer(runtime, key.slice(0, key.lastIndexOf('/')));
        if (status?.state === 'running' && worker.result(status.id) === undefined) worker.poke();
      }
    },
    stopLivenessAndStartup(uid) {
      const entry = pods.get(uid);
      if (!entry) return;
      entry.terminating = true;
      for (const [key, worker] of entry.workers) {
        if (worker.kind === 'readiness') continue;
        worker.stop();
        if (worker.kind === 'liveness') entry.workers.delete(key);
      }
    },
    remove(uid) {
      for (const worker of pods.get(uid)?.workers.values() ?? []) worker.stop();
      pods.delete(uid);
      for (const [id, owner] of owners) if (owner === uid) owners.delete(id);
    },
    stop() {
      for (const uid of [...pods.keys()]) this.remove(uid);
    },
    liveness: (id) => lookUp(id, 'liveness'),
    startup: (id) => lookUp(id, 'startup'),
    started: isStarted,
    ready(uid, container, id) {
      const worker = pods.get(uid)?.workers.get(keyOf(container, 'readiness'));
      return !worker || worker.result(id) === 'success';
    },
  };
}
