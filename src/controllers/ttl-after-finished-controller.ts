import type { Job } from '../api/types/batch.v1.gen.ts';
import { Jobs } from '../client/resource-types.gen.ts';
import { ignoreNotFound } from './parallel.ts';
import { type ControllerDefinition, defineController, watch } from './runtime/index.ts';

/** Deletes finished Jobs once their time to live is over. */
export function ttlAfterFinishedController(): ControllerDefinition {
  return defineController({
    name: 'ttl-after-finished-controller',
    watches: [watch(Jobs, { when: ({ type, object }) => type !== 'delete' && expiry(object) !== undefined })],
    async reconcile({ key, namespace, name }, { client, informer, now }) {
      const cached = informer(Jobs).get(key);
      if (!cached || cached.metadata.deletionTimestamp) return;
      const expiresAt = expiry(cached);
      if (expiresAt === undefined) return;
      if (expiresAt > now()) return { requeueAfterMs: expiresAt - now() };
      // The time to live may just have been raised.
      const job = await client.for(Jobs).get({ namespace, name }).catch(ignoreNotFound);
      const confirmed = job && !job.metadata.deletionTimestamp ? expiry(job) : undefined;
      if (!job || confirmed === undefined) return;
      if (confirmed > now()) return { requeueAfterMs: confirmed - now() };
      await client
        .for(Jobs)
        .delete({ namespace, name }, { propagationPolicy: 'Foreground', preconditions: { uid: job.metadata.uid } })
        .catch(ignoreNotFound);
    },
  });
}

/** Epoch milliseconds; undefined for a Job that is not finished or lives on. */
function expiry(job: Job): number | undefined {
  const ttl = job.spec?.ttlSecondsAfterFinished;
  const finished = job.status?.conditions?.find(
    ({ type, status }) => (type === 'Complete' || type === 'Failed') && status === 'True',
  );
  if (ttl === undefined || !finished?.lastTransitionTime) return undefined;
  return Date.parse(finished.lastTransitionTime) + ttl * 1000;
}
