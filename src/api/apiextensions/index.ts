import type { KindDefinition } from '../kind.ts';
import { customResourceDefinition } from './custom-resource-definition.ts';

export const kinds: readonly KindDefinition[] = [customResourceDefinition];
