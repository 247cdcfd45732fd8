import type { KindDefinition } from '../kind.ts';
import { event } from './event.ts';

export const kinds: readonly KindDefinition[] = [event];
