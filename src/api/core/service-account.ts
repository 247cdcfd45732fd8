import type { Draft } from '../../apimachinery/json.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { ServiceAccount } from '../types/core.v1.gen.ts';

const secretsOnlyAnnotation = 'kubernetes.io/enforce-mountable-secrets';

export const serviceAccount = defineKind<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  prepareForCreate: keepSecretNames,
  prepareForUpdate: keepSecretNames,
  warnings: (account, old) =>
    isAnnotated(account) && !isAnnotated(old)
      ? [
          `metadata.annotations[${secretsOnlyAnnotation}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
        ]
      : [],
  columns: [
    nameColumn,
    column('Secrets', ({ secrets }) => secrets?.length ?? 0, {
      description: 'Secrets that pods of the account may use',
    }),
    ageColumn,
  ],
});

/** Secrets are of the account's namespace: nothing but their names counts. */
function keepSecretNames(account: Draft<ServiceAccount>): void {
  if (account.secrets) account.secrets = account.secrets.map(({ name }) => (name ? { name } : {}));
}

const isAnnotated = (account: ServiceAccount | undefined) =>
  account?.metadata.annotations?.[secretsOnlyAnnotation] !== undefined;
