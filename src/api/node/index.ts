import type { KindDefinition } from '../kind.ts';
import { runtimeClass } from './runtime-class.ts';

export const kinds: readonly KindDefinition[] = [runtimeClass];
