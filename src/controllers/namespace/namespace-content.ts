import type { KubeList, UnstructuredObject } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client, ResourceType } from '../../client/client.ts';
import { collectionPath } from '../../client/create-client.ts';
import { type DiscoveredResource, discover } from '../../client/discovery.ts';
import { forEachParallel, ignoreNotFound } from '../parallel.ts';

/** What an attempt to empty a namespace found. */
export interface ContentReport {
  readonly discoveryFailures: readonly { readonly groupVersion: string; readonly message: string }[];
  readonly deletionErrors: readonly string[];
  /** Instances left, by `resource.group`. */
  readonly remaining: ReadonlyMap<string, number>;
  /** Instances left, by finalizer that holds them. */
  readonly finalizers: ReadonlyMap<string, number>;
}

const PARALLEL = 8;
const METADATA_LIST = 'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json';

/** Deletes whatever the namespace holds, pods before the rest: policies and volumes outlive the pods that rely on them. */
export async function deleteContent(client: Client, namespace: string, signal: AbortSignal): Promise<ContentReport> {
  const discovery = await discover(client, signal);
  const deletionErrors: string[] = [];
  const remaining = new Map<string, number>();
  const finalizers = new Map<string, number>();

  async function empty(resource: DiscoveredResource): Promise<void> {
    const { type, verbs } = resource;
    try {
      if ((await list(client, type, namespace, signal)).length === 0) return;
      await deleteAll(client, resource, namespace, signal);
      if (!verbs.includes('list')) return;
      const left = await list(client, type, namespace, signal);
      if (left.length === 0) return;
      remaining.set(`${type.resource}.${type.group}`, left.length);
      for (const { metadata } of left)
        for (const name of metadata.finalizers ?? []) finalizers.set(name, (finalizers.get(name) ?? 0) + 1);
    } catch (error) {
      if (isStatusError(error, 'NotFound') || isStatusError(error, 'MethodNotAllowed')) return;
      deletionErrors.push((error as Error).message);
    }
  }

  const isContent = ({ type, verbs }: DiscoveredResource) =>
    type.namespaced && verbs.includes('delete') && verbs.includes('list');
  const content = discovery.resources.filter(isContent);
  const isPods = ({ type }: DiscoveredResource) => type.group === '' && type.resource === 'pods';
  const pods = content.find(isPods);
  if (pods) await empty(pods);
  if (!remaining.has('pods.'))
    await forEachParallel(
      content.filter((resource) => !isPods(resource)),
      PARALLEL,
      empty,
    );
  return { discoveryFailures: discovery.failures, deletionErrors, remaining, finalizers };
}

async function list(
  client: Client,
  type: ResourceType,
  namespace: string,
  signal: AbortSignal,
): Promise<readonly UnstructuredObject[]> {
  const response = await client.request<KubeList>({
    method: 'GET',
    path: collectionPath(type, namespace),
    headers: { accept: METADATA_LIST },
    signal,
  });
  return response.body.items;
}

async function deleteAll(
  client: Client,
  { type, verbs }: DiscoveredResource,
  namespace: string,
  signal: AbortSignal,
): Promise<void> {
  const options = { propagationPolicy: 'Background', signal } as const;
  if (verbs.includes('deletecollection')) return client.for(type).deleteCollection({ namespace }, options);
  for (const { metadata } of await list(client, type, namespace, signal))
    await client.for(type).delete({ namespace, name: metadata.name }, options).catch(ignoreNotFound);
}
