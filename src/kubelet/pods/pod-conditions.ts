import type { ContainerStatus, Pod, PodCondition } from '../../api/types/core.v1.gen.ts';
import { isRestartableInit } from './restart-policy.ts';

type Condition = Pick<PodCondition, 'type' | 'status' | 'reason' | 'message'>;

export interface ConditionInput {
  readonly pod: Pod;
  readonly phase: string;
  readonly inits: readonly ContainerStatus[];
  readonly mains: readonly ContainerStatus[];
  /** Conditions of others, for readiness gates. */
  readonly existing: readonly PodCondition[];
  readonly sandboxReady: boolean;
  /** Why the resources that the pod asks for are not granted. */
  readonly resizePending?: { readonly reason: string; readonly message: string } | undefined;
  /** Containers have yet to be given what was granted. */
  readonly resizing?: boolean;
}

/** The conditions that the kubelet owns, without times. */
export function podConditions(input: ConditionInput): Condition[] {
  const containersReady = containersReadyCondition(input, 'ContainersReady');
  return [
    { type: 'PodReadyToStartContainers', status: input.sandboxReady ? 'True' : 'False' },
    initializedCondition(input),
    readyCondition(input, containersReady),
    containersReady,
    { type: 'PodScheduled', status: 'True' },
    ...(input.resizePending ? [{ type: 'PodResizePending', status: 'True', ...input.resizePending }] : []),
    ...(input.resizing ? [{ type: 'PodResizeInProgress', status: 'True' }] : []),
  ];
}

export const OWNED_CONDITIONS: ReadonlySet<string> = new Set([
  'PodReadyToStartContainers',
  'Initialized',
  'Ready',
  'ContainersReady',
  'PodScheduled',
  'PodResizePending',
  'PodResizeInProgress',
]);

function initializedCondition({ pod, phase, inits, mains }: ConditionInput): Condition {
  const type = 'Initialized';
  if (phase === 'Succeeded') return { type, status: 'True', reason: 'PodCompleted' };
  const unknown: string[] = [];
  const incomplete: string[] = [];
  for (const container of pod.spec.initContainers ?? []) {
    const status = inits.find(({ name }) => name === container.name);
    if (!status) unknown.push(container.name);
    else if (isRestartableInit(container) ? !status.started : !status.ready) incomplete.push(container.name);
  }
  // Once a main container ran, the init containers are history even if a sidecar is down.
  const ran = mains.some(({ state, lastState }) => state?.running || state?.terminated || lastState?.terminated);
  if (ran || (unknown.length === 0 && incomplete.length === 0)) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotInitialized',
    message: listing(unknown, 'with unknown status', incomplete, 'with incomplete status'),
  };
}

function containersReadyCondition({ pod, phase, inits, mains }: ConditionInput, type: string): Condition {
  if (phase === 'Succeeded') return { type, status: 'False', reason: 'PodCompleted' };
  if (phase === 'Failed') return { type, status: 'False', reason: 'PodFailed' };
  const unknown: string[] = [];
  const unready: string[] = [];
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
  for (const [containers, statuses] of [
    [sidecars, inits],
    [pod.spec.containers, mains],
  ] as const) {
    for (const { name } of containers) {
      const status = statuses.find((candidate) => candidate.name === name);
      if (!status) unknown.push(name);
      else if (!status.ready) unready.push(name);
    }
  }
  if (unknown.length === 0 && unready.length === 0) return { type, status: 'True' };
  return {
    type,
    status: 'False',
    reason: 'ContainersNotReady',
    message: listing(unknown, 'with unknown status', unready, 'with unready status'),
  };
}

function readyCondition({ pod, existing }: ConditionInput, containersReady: Condition): Condition {
  if (containersReady.status !== 'True') return { ...containersReady, type: 'Ready' };
  const problems: string[] = [];
  for (const { conditionType } of pod.spec.readinessGates ?? []) {
    const condition = existing.find(({ type }) => type === conditionType);
    if (!condition) problems.push(`corresponding condition of pod readiness gate "${conditionType}" does not exist.`);
    else if (condition.status !== 'True')
      problems.push(`the status of pod readiness gate "${conditionType}" is not "True", but ${condition.status}`);
  }
  if (problems.length === 0) return { type: 'Ready', status: 'True' };
  const message = problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`;
  return { type: 'Ready', status: 'False', reason: 'ReadinessGatesNotReady', message };
}

function listing(first: readonly string[], firstWhat: string, second: readonly string[], secondWhat: string): string {
  const parts: string[] = [];
  if (first.length) parts.push(`containers ${firstWhat}: [${first.join(' ')}]`);
  if (second.length) parts.push(`containers ${secondWhat}: [${second.join(' ')}]`);
  return parts.join(', ');
}

/**
 * Puts times on: a condition whose status is as before keeps its transition time. Conditions of others are not told: what
 * is known of them may be old, and they are not the kubelet's to write.
 */
export function mergeConditions(
  conditions: readonly Condition[],
  existing: readonly PodCondition[],
  generation: number | undefined,
  now: string,
): PodCondition[] {
  return conditions.map((condition) => {
    const before = existing.find(({ type }) => type === condition.type);
    return {
      ...condition,
      lastTransitionTime: before?.status === condition.status ? (before.lastTransitionTime ?? now) : now,
      ...(generation === undefined ? {} : { observedGeneration: generation }),
    };
  });
}
