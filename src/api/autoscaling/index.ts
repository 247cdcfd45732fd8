import type { KindDefinition } from '../kind.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import { horizontalPodAutoscalerV1 } from './horizontal-pod-autoscaler-v1.ts';

export const kinds: readonly KindDefinition[] = [horizontalPodAutoscalerV1, horizontalPodAutoscaler];
