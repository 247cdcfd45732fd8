import type { KindDefinition } from '../kind.ts';
import { storageVersionMigration } from './storage-version-migration.ts';

export const kinds: readonly KindDefinition[] = [storageVersionMigration];
