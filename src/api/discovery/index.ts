import type { KindDefinition } from '../kind.ts';
import { endpointSlice } from './endpoint-slice.ts';

export const kinds: readonly KindDefinition[] = [endpointSlice];
