import type { KindDefinition } from '../kind.ts';
import { apiService } from './api-service.ts';

export const kinds: readonly KindDefinition[] = [apiService];
