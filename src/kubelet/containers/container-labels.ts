import { createHash } from 'node:crypto';
import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import {
  CONTAINER_NAME_LABEL,
  POD_NAME_LABEL,
  POD_NAMESPACE_LABEL,
  POD_UID_LABEL,
  type RuntimeContainer,
} from '../runtime/container-runtime.ts';

/** Tells this kubelet's sandboxes from those of another that shares the runtime. */
export const KUBELET_LABEL = 'kubelet.k8ts.dev/instance';

const HASH = 'io.kubernetes.container.hash';
const RESTART_COUNT = 'io.kubernetes.container.restartCount';
const TERMINATION_MESSAGE_PATH = 'io.kubernetes.container.terminationMessagePath';
const TERMINATION_MESSAGE_POLICY = 'io.kubernetes.container.terminationMessagePolicy';
const POD_GRACE_PERIOD = 'io.kubernetes.pod.terminationGracePeriod';
/** `Never`, `OnFailure` or `Always`: what holds for this container, so that a runtime without processes knows whether it comes to an end. */
export const RESTART_POLICY = 'kubelet.k8ts.dev/restart-policy';
const DELETION_GRACE_PERIOD = 'io.kubernetes.pod.deletionGracePeriod';

export function sandboxLabels(pod: Pod, instance: string): Record<string, string> {
  return {
    ...pod.metadata.labels,
    [POD_NAME_LABEL]: pod.metadata.name,
    [POD_NAMESPACE_LABEL]: pod.metadata.namespace ?? '',
    [POD_UID_LABEL]: pod.metadata.uid ?? '',
    [KUBELET_LABEL]: instance,
  };
}

export function containerLabels(pod: Pod, container: Container, instance: string): Record<string, string> {
  return {
    [POD_NAME_LABEL]: pod.metadata.name,
    [POD_NAMESPACE_LABEL]: pod.metadata.namespace ?? '',
    [POD_UID_LABEL]: pod.metadata.uid ?? '',
    [CONTAINER_NAME_LABEL]: container.name,
    [KUBELET_LABEL]: instance,
  };
}

export function containerAnnotations(pod: Pod, container: Container, restartCount: number): Record<string, string> {
  const { deletionGracePeriodSeconds } = pod.metadata;
  const { terminationGracePeriodSeconds } = pod.spec;
  return {
    [HASH]: containerHash(container),
    [RESTART_COUNT]: String(restartCount),
    [RESTART_POLICY]: restartPolicyOf(pod, container),
    [TERMINATION_MESSAGE_PATH]: container.terminationMessagePath ?? '/dev/termination-log',
    [TERMINATION_MESSAGE_POLICY]: container.terminationMessagePolicy ?? 'File',
    ...(terminationGracePeriodSeconds === undefined
      ? {}
      : { [POD_GRACE_PERIOD]: String(terminationGracePeriodSeconds) }),
    ...(deletionGracePeriodSeconds === undefined
      ? {}
      : { [DELETION_GRACE_PERIOD]: String(deletionGracePeriodSeconds) }),
  };
}

function restartPolicyOf(pod: Pod, container: Container): string {
  if (container.restartPolicy) return container.restartPolicy;
  const policy = pod.spec.restartPolicy ?? 'Always';
  const init = pod.spec.initContainers?.some(({ name }) => name === container.name);
  return init && policy === 'Always' ? 'OnFailure' : policy;
}

/** Changes when a container of the pod must be replaced: only its image may change in a live pod. */
export function containerHash(container: Pick<Container, 'name' | 'image'>): string {
  return createHash('sha256')
    .update(JSON.stringify([container.name, container.image ?? '']))
    .digest('hex')
    .slice(0, 8);
}

export const hashOf = (container: RuntimeContainer): string | undefined => container.annotations[HASH];
export const restartCountOf = (container: RuntimeContainer): number =>
  Number(container.annotations[RESTART_COUNT] ?? container.attempt) || 0;
export const terminationMessagePolicyOf = (container: RuntimeContainer): string =>
  container.annotations[TERMINATION_MESSAGE_POLICY] ?? 'File';
export const terminationMessagePathOf = (container: RuntimeContainer): string =>
  container.annotations[TERMINATION_MESSAGE_PATH] ?? '/dev/termination-log';

/** Seconds to end in, of a container whose pod is not known any more. */
export function gracePeriodOf(container: RuntimeContainer): number {
  const text = container.annotations[DELETION_GRACE_PERIOD] ?? container.annotations[POD_GRACE_PERIOD];
  return text === undefined ? 30 : Number(text);
}
