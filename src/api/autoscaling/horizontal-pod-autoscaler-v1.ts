import { type Draft, draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { defineKind } from '../define.ts';
import type { HorizontalPodAutoscaler } from '../types/autoscaling.v1.gen.ts';
import type { HorizontalPodAutoscaler as HorizontalPodAutoscalerV2 } from '../types/autoscaling.v2.gen.ts';
import { validateApiVersions, validateAutoscaler } from './horizontal-pod-autoscaler.ts';
import { autoscalerColumns } from './metric-columns.ts';
import { autoscalerToV1, autoscalerToV2 } from './v1-conversion.ts';

const asV2 = (object: HorizontalPodAutoscaler) =>
  autoscalerToV2(draft(object) as unknown as Draft<UnstructuredObject>) as unknown as HorizontalPodAutoscalerV2;

export const horizontalPodAutoscalerV1 = defineKind<HorizontalPodAutoscaler>({
  group: 'autoscaling',
  version: 'v1',
  kind: 'HorizontalPodAutoscaler',
  storage: {
    group: 'autoscaling',
    version: 'v2',
    resource: 'horizontalpodautoscalers',
    toStorage: autoscalerToV2,
    fromStorage: autoscalerToV1,
  },
  default: ({ spec }) => {
    if (spec) spec.minReplicas ??= 1;
  },
  validate: (object, old) => validateAutoscaler(asV2(object), old && asV2(old)),
  validateCreate: (object) => validateApiVersions(asV2(object)),
  validateUpdate: (object, old) => validateApiVersions(asV2(object), asV2(old)),
  columns: autoscalerColumns<HorizontalPodAutoscaler>(asV2),
});
