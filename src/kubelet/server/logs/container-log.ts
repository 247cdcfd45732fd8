import type { ContainerStatus, Pod } from '../../../api/types/core.v1.gen.ts';
import type { KubeletPods } from '../../kubelet-pods.ts';
import type { RuntimeContainerStatus } from '../../runtime/container-runtime.ts';

/** The container whose log is meant. Throws an Error with the kubelet's words when there is none to read. */
export function containerOfLog(pods: KubeletPods, pod: Pod, name: string, previous: boolean): RuntimeContainerStatus {
  const { metadata } = pod;
  const where = `container "${name}" in pod "${metadata.name}"`;
  const status = statusOf(pod, name);
  const history = pods.runtimePod(metadata.uid ?? '')?.containers.filter((container) => container.name === name) ?? [];
  if (previous) {
    const lastId = idOf(status?.lastState?.terminated?.containerID);
    const last = history.find(({ id }) => id === lastId) ?? history[1];
    if (!last) throw new Error(`previous terminated ${where} not found`);
    return last;
  }
  const current = history.find(({ state }) => state !== 'created');
  if (current) return current;
  const { waiting, terminated } = status?.state ?? {};
  if (terminated) throw new Error(`${where} is terminated`);
  switch (waiting?.reason) {
    case 'ErrImagePull':
      throw new Error(`${where} is waiting to start: image can't be pulled`);
    case 'ImagePullBackOff':
      throw new Error(`${where} is waiting to start: trying and failing to pull image`);
    case undefined:
      throw new Error(
        `${where} is waiting to start: ${pod.spec.initContainers?.length ? 'PodInitializing' : 'ContainerCreating'}`,
      );
    default:
      throw new Error(`${where} is waiting to start: ${waiting?.reason}`);
  }
}

export function hasContainer({ spec }: Pod, name: string): boolean {
  return [spec.containers, spec.initContainers, spec.ephemeralContainers].some((list) =>
    list?.some((container) => container.name === name),
  );
}

function statusOf({ status }: Pod, name: string): ContainerStatus | undefined {
  for (const list of [status?.containerStatuses, status?.initContainerStatuses, status?.ephemeralContainerStatuses]) {
    const found = list?.find((candidate) => candidate.name === name);
    if (found) return found;
  }
  return undefined;
}

/** `containerd://ID` is ID. */
const idOf = (containerId: string | undefined) => containerId?.slice(containerId.indexOf('://') + 3);
