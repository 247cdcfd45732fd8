import type { KindDefinition } from '../kind.ts';
import { priorityClass } from './priority-class.ts';

export const kinds: readonly KindDefinition[] = [priorityClass];
