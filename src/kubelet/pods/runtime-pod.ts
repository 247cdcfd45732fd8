import type { PodSandboxStatus, RuntimeContainerStatus } from '../runtime/container-runtime.ts';

/** What the runtime has of one pod: newest first, also what ended. */
export interface RuntimePod {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly sandboxes: readonly PodSandboxStatus[];
  readonly containers: readonly RuntimeContainerStatus[];
}

export const emptyRuntimePod = (uid: string, name = '', namespace = ''): RuntimePod => ({
  uid,
  name,
  namespace,
  sandboxes: [],
  containers: [],
});

/** The newest container of that name. */
export function findContainer(pod: RuntimePod, name: string): RuntimeContainerStatus | undefined {
  return pod.containers.find((container) => container.name === name);
}

export const isActive = (container: RuntimeContainerStatus): boolean =>
  container.state === 'running' || container.state === 'unknown';

export function hasRunningContainers(pod: RuntimePod): boolean {
  return pod.containers.some(isActive);
}

/** The addresses of the newest sandbox if it is ready. */
export function podIPsOf(pod: RuntimePod): readonly string[] {
  const sandbox = pod.sandboxes[0];
  return sandbox?.state === 'ready' ? sandbox.ips : [];
}
