import type { Namespace } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { Namespaces, ServiceAccounts } from '../../client/resource-types.gen.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';

export const DEFAULT_SERVICE_ACCOUNT = 'default';

/** Every active namespace has the ServiceAccount `default`. */
export function serviceAccountController(): ControllerDefinition {
  return defineController({
    name: 'service-account-controller',
    watches: [
      watch(Namespaces),
      watch(ServiceAccounts, {
        when: ({ type, object }) => type === 'delete' && object.metadata.name === DEFAULT_SERVICE_ACCOUNT,
        keys: (account) => [account.metadata.namespace ?? ''],
      }),
    ],
    async reconcile({ key }, { client, informer }) {
      const namespace = informer(Namespaces).get(key);
      if (!namespace || !isActive(namespace)) return;
      if (informer(ServiceAccounts).get(`${key}/${DEFAULT_SERVICE_ACCOUNT}`)) return;
      await createInNamespace(() =>
        client.for(ServiceAccounts).create({
          apiVersion: 'v1',
          kind: 'ServiceAccount',
          metadata: { namespace: key, name: DEFAULT_SERVICE_ACCOUNT },
        }),
      );
    },
  });
}

export const isActive = (namespace: Namespace) =>
  namespace.metadata.deletionTimestamp === undefined && namespace.status?.phase !== 'Terminating';

/** Creation that others may be ahead of, or that comes too late for a namespace on its way out. */
export async function createInNamespace(create: () => Promise<unknown>): Promise<void> {
  try {
    await create();
  } catch (error) {
    if (isStatusError(error, 'AlreadyExists')) return;
    if (isStatusError(error, 'NotFound')) return;
    if (isNamespaceTerminating(error)) return;
    throw error;
  }
}

/** The refusal of new content in a namespace that is being deleted. */
export function isNamespaceTerminating(error: unknown): boolean {
  return (
    isStatusError(error, 'Forbidden') &&
    (error.message.includes('because it is being terminated') ||
      (error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating') ?? false))
  );
}
