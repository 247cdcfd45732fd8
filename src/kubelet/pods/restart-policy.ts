import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';

/** A sidecar: an init container that goes on beside the main ones. */
export const isRestartableInit = (container: Pick<Container, 'restartPolicy'>): boolean =>
  container.restartPolicy === 'Always';

/** Whether the container is started (again) given how it is now; `undefined` means it never ran. */
export function shouldRestart(pod: Pod, container: Container, status: RuntimeContainerStatus | undefined): boolean {
  if (pod.metadata.deletionTimestamp) return false;
  if (!status || status.state === 'unknown' || status.state === 'created') return true;
  if (status.state === 'running') return false;
  const rule = container.restartPolicyRules?.find(({ exitCodes }) => {
    if (!exitCodes) return false;
    const listed = (exitCodes.values ?? []).includes(status.exitCode);
    return exitCodes.operator === 'NotIn' ? !listed : listed;
  });
  if (rule) return rule.action === 'Restart';
  const policy = container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always';
  if (policy === 'Never') return false;
  return policy === 'Always' || status.exitCode !== 0;
}

/** Whether anything of the pod could start again after a failure. */
export const restartsOnFailure = (pod: Pod): boolean =>
  pod.spec.restartPolicy !== 'Never' ||
  pod.spec.containers.some((container) => container.restartPolicy && container.restartPolicy !== 'Never');
