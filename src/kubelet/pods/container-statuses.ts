import type {
  Container,
  ContainerState,
  ContainerStateTerminated,
  ContainerStatus,
  Pod,
} from '../../api/types/core.v1.gen.ts';
import { restartCountOf } from '../containers/container-labels.ts';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { shouldRestart } from './restart-policy.ts';
import type { RuntimePod } from './runtime-pod.ts';
import { timestamp } from './time.ts';

/** Why a container did not start at the last sync, by container name. */
export type StartFailures = ReadonlyMap<string, { readonly reason: string; readonly message: string }>;

export interface ContainerStatusInput {
  readonly pod: Pod;
  readonly runtime: RuntimePod;
  readonly containers: readonly Container[];
  /** As they were told last: what the runtime forgot is remembered here. */
  readonly previous: readonly ContainerStatus[] | undefined;
  readonly failures: StartFailures;
  readonly kind: 'init' | 'main' | 'ephemeral';
  /** `containerd`: the scheme of container ids. */
  readonly runtimeName: string;
  readonly terminationMessage: (container: RuntimeContainerStatus) => string;
}

/** Statuses in the order of the spec; `ready` and `started` are left for the probes to say. */
export function containerStatuses(input: ContainerStatusInput): ContainerStatus[] {
  return input.containers.map((container) => statusOf(input, container));
}

function statusOf(input: ContainerStatusInput, container: Container): ContainerStatus {
  const { pod, runtime, failures, kind } = input;
  const old = input.previous?.find(({ name }) => name === container.name);
  const history = runtime.containers.filter(({ name }) => name === container.name);
  const [newest, before] = history;
  let status: ContainerStatus;
  if (!newest) status = neverSeen(input, container, old);
  else {
    status = convert(input, container, newest);
    const ended = before?.state === 'exited' ? { terminated: terminated(input, before) } : undefined;
    const lastState =
      ended ??
      (old && old.containerID === status.containerID
        ? old.lastState
        : old?.state?.terminated
          ? { terminated: old.state.terminated }
          : old?.lastState);
    status = { ...status, lastState: lastState ?? {} };
  }
  const failure = failures.get(container.name);
  const finishedInit =
    kind === 'init' && newest?.state === 'exited' && newest.exitCode === 0 && container.restartPolicy !== 'Always';
  if (failure && !finishedInit && kind !== 'ephemeral' && shouldRestart(pod, container, newest)) {
    const lastState = status.state?.terminated ? status.state : status.lastState;
    status = {
      ...status,
      lastState: lastState ?? {},
      state: { waiting: { reason: failure.reason, message: failure.message } },
    };
  } else if (failure && kind === 'ephemeral' && !newest) {
    status = { ...status, state: { waiting: { reason: failure.reason, message: failure.message } } };
  }
  return status;
}

function neverSeen(
  { pod, kind, runtime }: ContainerStatusInput,
  container: Container,
  old: ContainerStatus | undefined,
): ContainerStatus {
  const reason =
    kind === 'main' && (pod.spec.initContainers?.length ?? 0) > 0
      ? 'PodInitializing'
      : kind === 'init'
        ? 'PodInitializing'
        : 'ContainerCreating';
  const base: ContainerStatus = {
    name: container.name,
    image: container.image ?? '',
    imageID: '',
    ready: false,
    restartCount: old?.restartCount ?? 0,
    state: { waiting: { reason } },
    lastState: old?.lastState ?? {},
  };
  if (old?.state?.terminated) {
    // The runtime cleaned a container away whose end was told: it stays as it was told.
    return { ...old };
  }
  if (old?.state?.running && runtime.sandboxes.length > 0) {
    const lost: ContainerStateTerminated = {
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was terminated',
      exitCode: 137,
    };
    return { ...base, restartCount: old.restartCount + 1, lastState: { terminated: lost } };
  }
  return base;
}

function convert(input: ContainerStatusInput, container: Container, status: RuntimeContainerStatus): ContainerStatus {
  return {
    name: container.name,
    image: status.image || container.image || '',
    imageID: status.imageRef || status.imageId,
    containerID: `${input.runtimeName}://${status.id}`,
    ready: false,
    restartCount: restartCountOf(status),
    state: stateOf(input, status),
    ...(container.volumeMounts?.length ? { volumeMounts: volumeMountsOf(container) } : {}),
    ...(status.state === 'running' && container.resources ? { resources: container.resources } : {}),
    ...(status.state === 'running' && container.resources?.requests
      ? { allocatedResources: container.resources.requests }
      : {}),
    ...(status.user
      ? {
          user: {
            linux: { uid: status.user.uid, gid: status.user.gid, supplementalGroups: status.user.supplementalGroups },
          },
        }
      : {}),
  };
}

function volumeMountsOf(container: Container) {
  return (container.volumeMounts ?? []).map(({ name, mountPath, readOnly }) => ({
    name,
    mountPath,
    ...(readOnly ? { readOnly, recursiveReadOnly: 'Disabled' } : {}),
  }));
}

function stateOf(input: ContainerStatusInput, status: RuntimeContainerStatus): ContainerState {
  if (status.state === 'running') return { running: { startedAt: timestamp(status.startedAt) } };
  if (status.state === 'created') return { waiting: {} };
  if (status.state === 'exited') return { terminated: terminated(input, status) };
  return {
    terminated: {
      reason: 'ContainerStatusUnknown',
      message: 'The container could not be located when the pod was deleted.  The container used to be Running',
      exitCode: 137,
    },
  };
}

function terminated(input: ContainerStatusInput, status: RuntimeContainerStatus): ContainerStateTerminated {
  const message = input.terminationMessage(status);
  return {
    exitCode: status.exitCode,
    reason: status.reason || (status.exitCode === 0 ? 'Completed' : 'Error'),
    ...(message ? { message } : {}),
    startedAt: timestamp(status.startedAt),
    finishedAt: timestamp(status.finishedAt),
    containerID: `${input.runtimeName}://${status.id}`,
  };
}
