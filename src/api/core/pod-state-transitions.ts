import { type FieldError, type FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import type { Container, PodSpec, PodStatus } from '../types/core.v1.gen.ts';

/** Containers that ended stay ended, unless something says that they are restarted. */
export function validateStateTransitions(
  status: PodStatus,
  old: PodStatus,
  spec: PodSpec,
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  const everybody = restartsEverybody(spec);
  const check = (
    list: 'containerStatuses' | 'initContainerStatuses' | 'ephemeralContainerStatuses',
    mayLeave: (name: string, exitCode: number) => boolean,
  ) => {
    old[list]?.forEach(({ name, state }, index) => {
      const ended = state?.terminated;
      if (!ended || mayLeave(name, ended.exitCode ?? 0)) return;
      const now = status[list]?.find((candidate) => candidate.name === name);
      if (now && !now.state?.terminated)
        errors.push(
          forbiddenField(
            path.child(list).index(index).child('state'),
            'may not be transitioned to non-terminated state',
          ),
        );
    });
  };
  const restarts = (containers: readonly Container[] | undefined) => (name: string, exitCode: number) => {
    if (everybody) return true;
    const container = containers?.find((candidate) => candidate.name === name);
    return container !== undefined && shouldRestart(container, spec, exitCode);
  };
  check('containerStatuses', restarts(spec.containers));
  check('initContainerStatuses', restarts(spec.initContainers));
  check('ephemeralContainerStatuses', () => false);
  return errors;
}

function restartsEverybody({ containers, initContainers }: PodSpec): boolean {
  return [...(initContainers ?? []), ...(containers ?? [])].some(({ restartPolicyRules }) =>
    restartPolicyRules?.some(({ action }) => action === 'RestartAllContainers'),
  );
}

/** The first rule that has the exit code decides, then the container's policy, then the pod's. */
function shouldRestart({ restartPolicy, restartPolicyRules }: Container, spec: PodSpec, exitCode: number): boolean {
  for (const { action, exitCodes } of restartPolicyRules ?? []) {
    if (!exitCodes) continue;
    const listed = exitCodes.values?.includes(exitCode) ?? false;
    if (exitCodes.operator === 'In' ? listed : exitCodes.operator === 'NotIn' && !listed) return action === 'Restart';
  }
  const policy = restartPolicy ?? spec.restartPolicy;
  return policy === 'Always' || (policy === 'OnFailure' && exitCode !== 0);
}
