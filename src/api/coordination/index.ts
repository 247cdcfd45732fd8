import type { KindDefinition } from '../kind.ts';
import { lease } from './lease.ts';

export const kinds: readonly KindDefinition[] = [lease];
