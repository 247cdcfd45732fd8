import type { Draft } from '../../apimachinery/json.ts';
import type { HorizontalPodAutoscaler, HPAScalingRules } from '../types/autoscaling.v2.gen.ts';

/** In percent: what an autoscaler without metrics aims at. */
export const defaultCpuUtilization = 80;

const scaleUp: HPAScalingRules = {
  stabilizationWindowSeconds: 0,
  selectPolicy: 'Max',
  policies: [
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ],
};

// Without a window of its own: the controller's applies.
const scaleDown: HPAScalingRules = {
  selectPolicy: 'Max',
  policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }],
};

export function defaultAutoscaler({ spec }: Draft<HorizontalPodAutoscaler>): void {
  if (!spec) return;
  spec.minReplicas ??= 1;
  if (!spec.metrics?.length) spec.metrics = [cpuMetric(defaultCpuUtilization)];
  if (!spec.behavior) return;
  spec.behavior.scaleUp = withDefaults(spec.behavior.scaleUp, scaleUp);
  spec.behavior.scaleDown = withDefaults(spec.behavior.scaleDown, scaleDown);
}

export function cpuMetric(averageUtilization: number) {
  return { type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization } } };
}

function withDefaults(given: HPAScalingRules | undefined, defaults: HPAScalingRules): Draft<HPAScalingRules> {
  return structuredClone({ ...defaults, ...given }) as Draft<HPAScalingRules>;
}
