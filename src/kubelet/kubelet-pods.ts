import type { Pod } from '../api/types/core.v1.gen.ts';
import type { RuntimePod } from './pods/runtime-pod.ts';
import type { RuntimeContainerStatus } from './runtime/container-runtime.ts';

/** The pods of this node, for who serves logs, exec and statistics of them. */
export interface KubeletPods {
  list(): readonly Pod[];
  get(namespace: string, name: string): Pod | undefined;
  byUid(uid: string): Pod | undefined;
  runtimePod(uid: string): RuntimePod | undefined;
  /** A container of the pod: the newest, or with `previous` the one before. */
  container(pod: Pod, name: string, options?: { readonly previous?: boolean }): RuntimeContainerStatus | undefined;
  /** The pod's sandbox if it is ready. */
  sandboxId(pod: Pod): string | undefined;
}

/** `pods` in the order in which they came to this node. */
export function createKubeletPods(
  pods: () => Iterable<Pod>,
  runtimePod: (uid: string) => RuntimePod | undefined,
): KubeletPods {
  const byUid = (uid: string) => {
    for (const pod of pods()) if (pod.metadata.uid === uid) return pod;
    return undefined;
  };
  return {
    list: () => [...pods()],
    get(namespace, name) {
      let found: Pod | undefined;
      for (const pod of pods()) {
        // The last to come: a pod of the same name may be ending still.
        if (pod.metadata.name === name && pod.metadata.namespace === namespace) found = pod;
      }
      return found;
    },
    byUid,
    runtimePod,
    container(pod, name, { previous = false } = {}) {
      const history =
        runtimePod(pod.metadata.uid ?? '')?.containers.filter((container) => container.name === name) ?? [];
      return history[previous ? 1 : 0];
    },
    sandboxId(pod) {
      const sandbox = runtimePod(pod.metadata.uid ?? '')?.sandboxes[0];
      return sandbox?.state === 'ready' ? sandbox.id : undefined;
    },
  };
}
