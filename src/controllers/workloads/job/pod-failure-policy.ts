import type { Job, PodFailurePolicyRule } from '../../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import { isPodFailed } from './pods-of-job.ts';

export interface FailureVerdict {
  /** Of the first rule that matches. */
  readonly action?: string;
  /** Whether the failure counts towards the backoff limits. */
  readonly counts: boolean;
  /** Why the whole Job fails by it. */
  readonly failJob?: string;
}

/** What the Job's pod failure policy says to a failed pod; without a policy every failure counts. */
export function judgeFailure(job: Job, pod: Pod): FailureVerdict {
  for (const [index, rule] of (job.spec.podFailurePolicy?.rules ?? []).entries()) {
    const match = matchRule(rule, pod);
    if (match === undefined) continue;
    const { action } = rule;
    if (action === 'FailJob')
      return { action, counts: true, failJob: `${match} matching FailJob rule at index ${index}` };
    return { action, counts: action !== 'Ignore' };
  }
  return { counts: true };
}

/** The message of the first pod that fails the Job. */
export function failJobMessage(job: Job, pods: readonly Pod[]): string | undefined {
  if (!job.spec.podFailurePolicy) return undefined;
  for (const pod of pods) {
    const message = isPodFailed(job, pod) ? judgeFailure(job, pod).failJob : undefined;
    if (message) return message;
  }
  return undefined;
}

function matchRule({ onExitCodes, onPodConditions }: PodFailurePolicyRule, pod: Pod): string | undefined {
  const { name, namespace } = pod.metadata;
  if (onExitCodes) {
    const { containerName, operator, values } = onExitCodes;
    for (const status of [...(pod.status?.containerStatuses ?? []), ...(pod.status?.initContainerStatuses ?? [])]) {
      const exitCode = status.state?.terminated?.exitCode;
      if (exitCode === undefined || exitCode === 0) continue;
      if (containerName !== undefined && containerName !== status.name) continue;
      if (values.includes(exitCode) === (operator === 'In'))
        return `Container ${status.name} for pod ${namespace}/${name} failed with exit code ${exitCode}`;
    }
    return undefined;
  }
  for (const condition of pod.status?.conditions ?? [])
    if (onPodConditions?.some(({ type, status = 'True' }) => type === condition.type && status === condition.status))
      return `Pod ${namespace}/${name} has condition ${condition.type}`;
  return undefined;
}
