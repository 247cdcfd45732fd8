import type { Namespace } from '../../api/types/core.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { Namespaces } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { deletionConditions } from './namespace-conditions.ts';
import { deleteContent } from './namespace-content.ts';

const FINALIZER = 'kubernetes';
/** Content that remains is looked at again soon, and less often the longer it takes. */
const FIRST_POLL_MS = 50;
const LAST_POLL_MS = 5_000;

/** Empties namespaces that are being deleted and then lets them go. */
export function namespaceController(): ControllerDefinition {
  return defineController({
    name: 'namespace-controller',
    concurrency: 10,
    setup() {
      const polls = new Map<string, number>();
      return {
        watches: [watch(Namespaces, { when: ({ type, object }) => type === 'delete' || isTerminating(object) })],
        async reconcile({ name }, { client, informer, signal, now }) {
          const cached = informer(Namespaces).get(name);
          if (!cached || !isTerminating(cached)) {
            polls.delete(name);
            return;
          }
          let namespace = await client.for(Namespaces).get({ name }).catch(ignoreNotFound);
          if (!namespace || !isTerminating(namespace) || !namespace.spec?.finalizers?.length) return;
          if (namespace.status?.phase !== 'Terminating')
            namespace = await client
              .for(Namespaces)
              .updateStatus({ ...namespace, status: { ...namespace.status, phase: 'Terminating' } });

          const report = await deleteContent(client, name, signal);
          const conditions = deletionConditions(namespace.status?.conditions, report, now());
          const empty =
            report.remaining.size === 0 && report.deletionErrors.length === 0 && report.discoveryFailures.length === 0;
          if (empty) {
            polls.delete(name);
            await finalize(client, namespace);
            return;
          }
          if (conditions !== namespace.status?.conditions)
            await client
              .for(Namespaces)
              .updateStatus({ ...namespace, status: { ...namespace.status, conditions } })
              .catch(ignoreNotFound);
          const poll = polls.get(name) ?? FIRST_POLL_MS;
          polls.set(name, Math.min(poll * 1.5, LAST_POLL_MS));
          return { requeueAfterMs: poll };
        },
      };
    },
  });
}

const isTerminating = (namespace: Namespace) => namespace.metadata.deletionTimestamp !== undefined;

async function finalize(client: Client, namespace: Namespace): Promise<void> {
  const { name } = namespace.metadata;
  const finalizers = namespace.spec?.finalizers?.filter((finalizer) => finalizer !== FINALIZER) ?? [];
  const body = { ...namespace, spec: { ...namespace.spec, finalizers } };
  try {
    await client.for(Namespaces).replaceSubresource({ name }, 'finalize', body);
  } catch (error) {
    ignoreNotFound(error);
    if (await client.for(Namespaces).get({ name }).catch(ignoreNotFound)) throw error;
  }
}
