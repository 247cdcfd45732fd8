import type { Secret, ServiceAccount } from '../../api/types/core.v1.gen.ts';
import { Secrets, ServiceAccounts } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';

export interface TokenSecretOptions {
  readonly rootCa: string;
  /** A token without expiry for the ServiceAccount, tied to the Secret. */
  readonly issue: (account: ServiceAccount, secret: Secret) => Promise<string> | string;
}

const TOKEN_TYPE = 'kubernetes.io/service-account-token';
const ACCOUNT_NAME = 'kubernetes.io/service-account.name';
const ACCOUNT_UID = 'kubernetes.io/service-account.uid';
const BY_ACCOUNT = 'token-secret-account';

/** Fills Secrets of type `kubernetes.io/service-account-token`, and deletes those whose ServiceAccount is gone. */
export function tokenSecretController({ rootCa, issue }: TokenSecretOptions): ControllerDefinition {
  const encode = (text: string) => Buffer.from(text).toString('base64');
  return defineController({
    name: 'serviceaccount-token-controller',
    watches: [
      watch(Secrets, {
        when: ({ type, object }) => type !== 'delete' && object.type === TOKEN_TYPE,
        indexes: { [BY_ACCOUNT]: (secret) => accountKeys(secret) },
      }),
      watch(ServiceAccounts, {
        keys: (account, { informer }) =>
          informer(Secrets)
            .byIndex(BY_ACCOUNT, `${account.metadata.namespace}/${account.metadata.name}`)
            .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
      }),
    ],
    async reconcile({ key, namespace, name }, { client, informer }) {
      const secret = informer(Secrets).get(key);
      if (!secret || secret.type !== TOKEN_TYPE || secret.metadata.deletionTimestamp) return;
      const accountName = secret.metadata.annotations?.[ACCOUNT_NAME];
      if (!accountName) return;
      const account =
        informer(ServiceAccounts).get(`${namespace}/${accountName}`) ??
        (await client.for(ServiceAccounts).get({ namespace, name: accountName }).catch(ignoreNotFound));
      const uid = secret.metadata.annotations?.[ACCOUNT_UID];
      if (!account || (uid && uid !== account.metadata.uid)) {
        await client
          .for(Secrets)
          .delete({ namespace, name }, { preconditions: { uid: secret.metadata.uid } })
          .catch(ignoreNotFound);
        return;
      }
      const complete = uid && secret.data?.token && secret.data.namespace && secret.data['ca.crt'] === encode(rootCa);
      if (complete) return;
      const token = secret.data?.token ?? encode(await issue(account, secret));
      await client.for(Secrets).update({
        ...secret,
        metadata: {
          ...secret.metadata,
          annotations: { ...secret.metadata.annotations, [ACCOUNT_UID]: account.metadata.uid ?? '' },
        },
        data: { ...secret.data, token, namespace: encode(namespace), 'ca.crt': encode(rootCa) },
      });
    },
  });
}

function accountKeys({ type, metadata }: Secret): readonly string[] {
  const name = metadata.annotations?.[ACCOUNT_NAME];
  return type === TOKEN_TYPE && name ? [`${metadata.namespace}/${name}`] : [];
}
