import type { KindDefinition } from '../kind.ts';

export const kinds: readonly KindDefinition[] = [];
