import type { KindDefinition } from '../kind.ts';
import { podDisruptionBudget } from './pod-disruption-budget.ts';

export const kinds: readonly KindDefinition[] = [podDisruptionBudget];
