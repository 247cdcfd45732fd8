import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { ServiceAccount } from '../types/core.v1.gen.ts';

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  columns: [
    nameColumn,
    column('Secrets', ({ secrets }) => secrets?.length ?? 0, {
      type: 'integer',
      description: 'Secrets that pods of the account may use',
    }),
    ageColumn,
  ],
});
