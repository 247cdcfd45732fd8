import type { HorizontalPodAutoscaler, HPAScalingPolicy, HPAScalingRules } from '../../api/types/autoscaling.v2.gen.ts';

/** What was recommended and done before, oldest first. Times are epoch milliseconds. */
export interface ScalingHistory {
  readonly recommendations: { readonly time: number; readonly replicas: number }[];
  readonly scaleUps: { readonly time: number; readonly change: number }[];
  readonly scaleDowns: { readonly time: number; readonly change: number }[];
}

export interface LimitedReplicas {
  readonly replicas: number;
  /** Reason and message of the condition ScalingLimited, when something did limit. */
  readonly limited?: { readonly reason: string; readonly message: string };
  /** Reason and message of AbleToScale, when older recommendations held it back. */
  readonly stabilized?: { readonly reason: string; readonly message: string };
}

const DEFAULT_DOWN_WINDOW_SECONDS = 300;
const DEFAULT_UP: readonly HPAScalingPolicy[] = [
  { type: 'Pods', value: 4, periodSeconds: 15 },
  { type: 'Percent', value: 100, periodSeconds: 15 },
];
const DEFAULT_DOWN: readonly HPAScalingPolicy[] = [{ type: 'Percent', value: 100, periodSeconds: 15 }];
const HISTORY_MS = 3_600_000;

/** Holds a recommendation against the stabilization windows, the rate policies and the bounds of the autoscaler. */
export function limitReplicas(
  { spec }: HorizontalPodAutoscaler,
  current: number,
  recommended: number,
  history: ScalingHistory,
  now: number,
): LimitedReplicas {
  forgetOld(history, now);
  const { scaleUp, scaleDown } = spec.behavior ?? {};
  const stable = stabilize(current, recommended, history, now, scaleUp, scaleDown);
  history.recommendations.push({ time: now, replicas: recommended });
  const min = spec.minReplicas ?? 1;
  const stabilized =
    stable === recommended
      ? {}
      : {
          stabilized:
            stable > recommended
              ? {
                  reason: 'ScaleDownStabilized',
                  message:
                    'recent recommendations were higher than current one, applying the highest recent recommendation',
                }
              : {
                  reason: 'ScaleUpStabilized',
                  message:
                    'recent recommendations were lower than current one, applying the lowest recent recommendation',
                },
        };
  if (stable > current) {
    const limit = Math.max(current, upLimit(current, history, now, scaleUp));
    const bound = Math.min(limit, spec.maxReplicas);
    if (stable <= bound) return { replicas: stable, ...stabilized };
    const limited =
      bound === spec.maxReplicas
        ? { reason: 'TooManyReplicas', message: 'the desired replica count is more than the maximum replica count' }
        : {
            reason: 'ScaleUpLimit',
            message: 'the desired replica count is increasing faster than the maximum scale rate',
          };
    return { replicas: bound, limited, ...stabilized };
  }
  if (stable < current) {
    const limit = Math.min(current, downLimit(current, history, now, scaleDown));
    const bound = Math.max(limit, min);
    if (stable >= bound) return { replicas: stable, ...stabilized };
    const limited =
      bound === min
        ? { reason: 'TooFewReplicas', message: 'the desired replica count is less than the minimum replica count' }
        : {
            reason: 'ScaleDownLimit',
            message: 'the desired replica count is decreasing faster than the maximum scale rate',
          };
    return { replicas: bound, limited, ...stabilized };
  }
  return { replicas: stable, ...stabilized };
}

/** Notes a change of scale, for the rate policies. */
export function recordScaling(history: ScalingHistory, from: number, to: number, now: number): void {
  if (to > from) history.scaleUps.push({ time: now, change: to - from });
  else if (to < from) history.scaleDowns.push({ time: now, change: from - to });
}

function stabilize(
  current: number,
  recommended: number,
  { recommendations }: ScalingHistory,
  now: number,
  up: HPAScalingRules | undefined,
  down: HPAScalingRules | undefined,
): number {
  const since = (seconds: number) => recommendations.filter(({ time }) => time > now - seconds * 1000);
  let lowest = recommended;
  for (const { replicas } of since(up?.stabilizationWindowSeconds ?? 0)) lowest = Math.min(lowest, replicas);
  let highest = recommended;
  for (const { replicas } of since(down?.stabilizationWindowSeconds ?? DEFAULT_DOWN_WINDOW_SECONDS))
    highest = Math.max(highest, replicas);
  if (current < lowest) return lowest;
  if (current > highest) return highest;
  return current;
}

function upLimit(current: number, history: ScalingHistory, now: number, rules: HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const limits = (rules?.policies?.length ? rules.policies : DEFAULT_UP).map((policy) => {
    const start = current - changed(history.scaleUps, policy, now) + changed(history.scaleDowns, policy, now);
    return policy.type === 'Pods' ? start + policy.value : Math.ceil(start * (1 + policy.value / 100));
  });
  return rules?.selectPolicy === 'Min' ? Math.min(...limits) : Math.max(...limits);
}

function downLimit(current: number, history: ScalingHistory, now: number, rules: HPAScalingRules | undefined): number {
  if (rules?.selectPolicy === 'Disabled') return current;
  const limits = (rules?.policies?.length ? rules.policies : DEFAULT_DOWN).map((policy) => {
    const start = current + changed(history.scaleDowns, policy, now) - changed(history.scaleUps, policy, now);
    return policy.type === 'Pods' ? start - policy.value : Math.floor(start * (1 - policy.value / 100));
  });
  return rules?.selectPolicy === 'Min' ? Math.max(...limits) : Math.min(...limits);
}

function changed(events: ScalingHistory['scaleUps'], { periodSeconds }: HPAScalingPolicy, now: number): number {
  return events
    .filter(({ time }) => time > now - periodSeconds * 1000)
    .reduce((total, { change }) => total + change, 0);
}

function forgetOld(history: ScalingHistory, now: number): void {
  for (const list of [history.recommendations, history.scaleUps, history.scaleDowns]) {
    const old = list.findIndex(({ time }) => time > now - HISTORY_MS);
    list.splice(0, old < 0 ? list.length : old);
  }
}
