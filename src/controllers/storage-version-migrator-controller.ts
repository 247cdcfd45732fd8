import type { StorageVersionMigration } from '../api/storagemigration/storage-version-migration.ts';
import type { KubeList } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client, ResourceType } from '../client/client.ts';
import { collectionPath } from '../client/create-client.ts';
import { discover } from '../client/discovery.ts';
import { conditionOf, withCondition } from './conditions.ts';
import { forEachParallel } from './parallel.ts';
import { type ControllerDefinition, defineController, watch } from './runtime/index.ts';

const StorageVersionMigrations: ResourceType<StorageVersionMigration> = {
  group: 'storagemigration.k8s.io',
  version: 'v1beta1',
  kind: 'StorageVersionMigration',
  resource: 'storageversionmigrations',
  namespaced: false,
};

type Outcome = 'Running' | 'Succeeded' | 'Failed';

const REASONS: Readonly<Record<Outcome, string>> = {
  Running: 'StorageVersionMigrationInProgress',
  Succeeded: 'StorageVersionMigrationSucceeded',
  Failed: 'StorageVersionMigrationFailed',
};
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';
const PAGE = 500;
const PARALLEL = 8;
/** How long the resource of a migration may take to appear. */
const NOT_FOUND_AFTER_MS = 60_000;
const LOOK_AGAIN_MS = 5_000;

/** Writes every object of a resource again, unchanged: values that are stored in an older way are stored in the present one. */
export function storageVersionMigratorController(): ControllerDefinition {
  return defineController({
    name: 'storage-version-migrator-controller',
    watches: [watch(StorageVersionMigrations)],
    async reconcile({ key }, { client, informer, now, signal, logger }) {
      let migration = informer(StorageVersionMigrations).get(key);
      if (!migration || isOver(migration)) return;
      const tell = async (current: StorageVersionMigration, outcome: Outcome, message = '') => {
        const conditions = conditionsOf(current, outcome, message, now());
        const { resourceVersion } = current.status ?? {};
        return client
          .for(StorageVersionMigrations)
          .updateStatus({ ...current, status: { conditions, ...(resourceVersion ? { resourceVersion } : {}) } });
      };
      const type = await typeOf(client, migration, signal);
      if (!type) {
        const age = now() - Date.parse(migration.metadata.creationTimestamp ?? '');
        if (age < NOT_FOUND_AFTER_MS) return { requeueAfterMs: LOOK_AGAIN_MS };
        await tell(migration, 'Failed', 'resource not found');
        return;
      }
      if (!migration.status?.resourceVersion) {
        const { resourceVersion } = (await page(client, type, 1, undefined, signal)).metadata;
        migration = { ...migration, status: { ...migration.status, resourceVersion: resourceVersion! } };
      }
      migration = await tell(migration, 'Running');
      try {
        await migrate(client, type, signal);
      } catch (error) {
        if (signal.aborted) throw error;
        logger.warn({ err: error, migration: key }, 'a storage version migration failed');
        await tell(migration, 'Failed', 'migration encountered unhandled error');
        return;
      }
      await tell(migration, 'Succeeded');
    },
  });
}

async function typeOf(
  client: Client,
  { spec }: StorageVersionMigration,
  signal: AbortSignal,
): Promise<ResourceType | undefined> {
  const { group = '', resource } = spec.resource;
  const { resources } = await discover(client, signal);
  return resources.find(
    ({ type, verbs }) =>
      type.group === group && type.resource === resource && verbs.includes('list') && verbs.includes('patch'),
  )?.type;
}

async function migrate(client: Client, type: ResourceType, signal: AbortSignal): Promise<void> {
  for (let token: string | undefined; ; ) {
    const { items, metadata } = await page(client, type, PAGE, token, signal);
    await forEachParallel(items, PARALLEL, async ({ metadata: { name, namespace, uid, resourceVersion } }) => {
      try {
        await client
          .for(type)
          .patch({ name, ...(namespace ? { namespace } : {}) }, 'merge', { metadata: { uid, resourceVersion } });
      } catch (error) {
        // Written by somebody else meanwhile, or gone: migrated either way.
        if (!isStatusError(error, 'Conflict') && !isStatusError(error, 'NotFound')) throw error;
      }
    });
    token = metadata.continue;
    if (!token) return;
  }
}

async function page(
  client: Client,
  type: ResourceType,
  limit: number,
  token: string | undefined,
  signal: AbortSignal,
): Promise<KubeList> {
  const query = { limit, ...(token ? { continue: token } : {}) };
  const request = {
    method: 'GET',
    path: collectionPath(type, undefined),
    query,
    headers: { accept: METADATA_LIST },
    signal,
  } as const;
  try {
    return (await client.request<KubeList>(request)).body;
  } catch (error) {
    // The pages became too old meanwhile: what is left is read from the present state.
    const next = isStatusError(error) && error.code === 410 ? error.status.metadata?.continue : undefined;
    if (!next || next === token) throw error;
    return page(client, type, limit, next, signal);
  }
}

const isOver = ({ status }: StorageVersionMigration): boolean =>
  (['Succeeded', 'Failed'] as const).some((type) => conditionOf(status?.conditions, type)?.status === 'True');

function conditionsOf({ status }: StorageVersionMigration, outcome: Outcome, message: string, now: number) {
  const condition = (type: Outcome, value: 'True' | 'False') => ({
    type,
    status: value,
    reason: REASONS[outcome],
    message: value === 'True' ? message : '',
    lastTransitionTime: '',
  });
  const conditions = withCondition(status?.conditions, condition(outcome, 'True'), now);
  return outcome === 'Running' || !conditionOf(conditions, 'Running')
    ? conditions
    : withCondition(conditions, condition('Running', 'False'), now);
}
