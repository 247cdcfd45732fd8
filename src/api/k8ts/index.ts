import type { KindDefinition } from '../kind.ts';
import { plugin } from './plugin.ts';

export const kinds: readonly KindDefinition[] = [plugin];
