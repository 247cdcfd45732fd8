import type { NodeCondition } from '../../api/types/core.v1.gen.ts';
import type { RuntimeStatus } from '../runtime/container-runtime.ts';

export interface NodeHealth {
  /** `undefined` when the runtime does not answer. */
  readonly runtime: RuntimeStatus | undefined;
  readonly runtimeError: string | undefined;
  /** The list of what runs is fresh. */
  readonly cacheHealthy: boolean;
}

/** Why pods that need the pod network can't start, or `undefined`. */
export function networkProblem({ runtime }: NodeHealth): string | undefined {
  const condition = runtime?.conditions.find(({ type }) => type === 'NetworkReady');
  if (!condition || condition.status) return undefined;
  return `container runtime network not ready: NetworkReady=false reason:${condition.reason} message:${condition.message}`;
}

export function readyProblem(health: NodeHealth): string | undefined {
  const problems: string[] = [];
  if (!health.runtime)
    problems.push(
      `container runtime status check may not have completed yet${health.runtimeError ? `: ${health.runtimeError}` : ''}`,
    );
  const condition = health.runtime?.conditions.find(({ type }) => type === 'RuntimeReady');
  if (condition && !condition.status)
    problems.push(
      `container runtime not ready: RuntimeReady=false reason:${condition.reason} message:${condition.message}`,
    );
  const network = networkProblem(health);
  if (network) problems.push(network);
  if (!health.cacheHealthy) problems.push('PLEG is not healthy: pleg was last seen active 3m0s ago; threshold is 3m0s');
  return problems.length ? (problems.length === 1 ? problems[0] : `[${problems.join(', ')}]`) : undefined;
}

/** The four conditions; a status that stays keeps its transition time. */
export function nodeConditions(health: NodeHealth, existing: readonly NodeCondition[], now: string): NodeCondition[] {
  const problem = readyProblem(health);
  const wanted = [
    {
      type: 'MemoryPressure',
      status: 'False',
      reason: 'KubeletHasSufficientMemory',
      message: 'kubelet has sufficient memory available',
    },
    {
      type: 'DiskPressure',
      status: 'False',
      reason: 'KubeletHasNoDiskPressure',
      message: 'kubelet has no disk pressure',
    },
    {
      type: 'PIDPressure',
      status: 'False',
      reason: 'KubeletHasSufficientPID',
      message: 'kubelet has sufficient PID available',
    },
    problem
      ? { type: 'Ready', status: 'False', reason: 'KubeletNotReady', message: problem }
      : { type: 'Ready', status: 'True', reason: 'KubeletReady', message: 'kubelet is posting ready status' },
  ];
  return wanted.map((condition) => {
    const before = existing.find(({ type }) => type === condition.type);
    const lastTransitionTime = before?.status === condition.status ? (before.lastTransitionTime ?? now) : now;
    return { ...condition, lastHeartbeatTime: now, lastTransitionTime };
  });
}
