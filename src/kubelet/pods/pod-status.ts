import type { Container, ContainerStatus, Pod, PodStatus } from '../../api/types/core.v1.gen.ts';
import { qosClassOf } from '../containers/resources.ts';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { containerStatuses, type StartFailures } from './container-statuses.ts';
import { mergeConditions, podConditions } from './pod-conditions.ts';
import { podPhase } from './pod-phase.ts';
import { isRestartableInit } from './restart-policy.ts';
import { podIPsOf, type RuntimePod } from './runtime-pod.ts';
import { timestamp } from './time.ts';

/** What the probes say about a running container. */
export interface Readiness {
  started(podUid: string, container: string, containerId: string): boolean;
  ready(podUid: string, container: string, containerId: string): boolean;
}

export interface PodStatusInput {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  /** What was told to the API server last. */
  readonly previous: PodStatus | undefined;
  readonly failures: StartFailures;
  readonly readiness: Readiness;
  readonly hostIPs: readonly string[];
  readonly runtimeName: string;
  readonly terminationMessage: (container: RuntimeContainerStatus) => string;
  /** Nothing of the pod will start again. */
  readonly terminal: boolean;
  /** Why it ended other than by its containers: eviction, deadline, rejection. */
  readonly verdict?: { readonly reason: string; readonly message: string };
  readonly resizePending: { readonly reason: string; readonly message: string } | undefined;
  readonly resizing: boolean;
  readonly now: number;
}

/** The status of a pod as the API shows it, from what the runtime has. */
export function podStatus(input: PodStatusInput): PodStatus {
  const { pod, runtime, previous, verdict, now } = input;
  const common = {
    pod,
    runtime,
    failures: input.failures,
    runtimeName: input.runtimeName,
    terminationMessage: input.terminationMessage,
  };
  let inits = withReadiness(
    input,
    containerStatuses({
      ...common,
      kind: 'init',
      containers: pod.spec.initContainers ?? [],
      previous: previous?.initContainerStatuses,
    }),
    pod.spec.initContainers ?? [],
  );
  let mains = withReadiness(
    input,
    containerStatuses({
      ...common,
      kind: 'main',
      containers: pod.spec.containers,
      previous: previous?.containerStatuses,
    }),
    pod.spec.containers,
  );
  const ephemeral = (pod.spec.ephemeralContainers ?? []) as readonly Container[];
  const ephemerals = containerStatuses({
    ...common,
    kind: 'ephemeral',
    containers: ephemeral,
    previous: previous?.ephemeralContainerStatuses,
  });
  if (input.terminal) {
    inits = inits.map((status) => (status.state?.terminated ? status : lost(status)));
    mains = mains.map((status) => (status.state?.terminated ? status : lost(status)));
  }
  let phase = verdict ? 'Failed' : podPhase(pod, inits, mains, input.terminal);
  if (input.terminal && phase !== 'Succeeded') phase = 'Failed';
  // An end that was told stays the end.
  if (previous?.phase === 'Succeeded' || previous?.phase === 'Failed') phase = previous.phase;
  const ips = pod.spec.hostNetwork
    ? runtime.sandboxes.length > 0 || previous?.podIP
      ? input.hostIPs
      : []
    : podIPsOf(runtime);
  const podIPs = ips.length ? ips.map((ip) => ({ ip })) : (previous?.podIPs ?? []);
  const sandboxReady = runtime.sandboxes[0]?.state === 'ready' && (pod.spec.hostNetwork || ips.length > 0);
  const existing = pod.status?.conditions ?? [];
  const known = previous?.conditions ?? existing;
  const conditions = podConditions({
    pod,
    phase,
    inits,
    mains,
    existing,
    sandboxReady: sandboxReady ?? false,
    resizePending: input.resizePending,
    resizing: input.resizing,
  });
  const merged = mergeConditions(conditions, known, pod.metadata.generation, timestamp(now));
  const reason = verdict?.reason ?? previous?.reason;
  const message = verdict?.message ?? previous?.message;
  return {
    ...(pod.metadata.generation === undefined ? {} : { observedGeneration: pod.metadata.generation }),
    phase,
    conditions: merged,
    ...(message ? { message } : {}),
    ...(reason ? { reason } : {}),
    ...(input.hostIPs.length ? { hostIP: input.hostIPs[0], hostIPs: input.hostIPs.map((ip) => ({ ip })) } : {}),
    ...(podIPs.length ? { podIP: podIPs[0]?.ip, podIPs } : {}),
    startTime: previous?.startTime ?? pod.status?.startTime ?? timestamp(now),
    ...(inits.length ? { initContainerStatuses: inits } : {}),
    containerStatuses: mains,
    ...(ephemerals.length ? { ephemeralContainerStatuses: ephemerals } : {}),
    qosClass: qosClassOf(pod),
    ...(pod.spec.resources ? { resources: pod.spec.resources } : {}),
    ...(pod.spec.resources?.requests ? { allocatedResources: pod.spec.resources.requests } : {}),
  };
}

function withReadiness(
  { pod, readiness }: PodStatusInput,
  statuses: readonly ContainerStatus[],
  containers: readonly Container[],
): ContainerStatus[] {
  const uid = pod.metadata.uid ?? '';
  return statuses.map((status, i) => {
    const container = containers[i];
    const id = status.containerID?.split('://')[1] ?? '';
    const started = status.state?.running !== undefined && readiness.started(uid, status.name, id);
    const init =
      container !== undefined && pod.spec.initContainers?.includes(container) && !isRestartableInit(container);
    const ready = init ? status.state?.terminated?.exitCode === 0 : started && readiness.ready(uid, status.name, id);
    return { ...status, ready, started: init ? false : started };
  });
}

/** The pod is over, but this container's end was never seen. */
function lost(status: ContainerStatus): ContainerStatus {
  if (status.state?.waiting && !status.containerID && !status.lastState?.terminated) return status;
  return {
    ...status,
    ready: false,
    started: false,
    state: {
      terminated: status.lastState?.terminated ?? {
        reason: 'ContainerStatusUnknown',
        message: 'The container could not be located when the pod was terminated',
        exitCode: 137,
      },
    },
  };
}
