import { apiVersionOf, type KubeList, type KubeObject, type WatchEvent } from '../apimachinery/meta.ts';
import type { ApiRequest, Transport } from '../apimachinery/transport.ts';
import type {
  Client,
  DeleteOptions,
  ListOptions,
  ObjectName,
  PatchType,
  ResourceClient,
  ResourceType,
  WatchOptions,
  WriteOptions,
} from './client.ts';

const PATCH_CONTENT_TYPES: Readonly<Record<PatchType, string>> = {
  json: 'application/json-patch+json',
  merge: 'application/merge-patch+json',
  strategic: 'application/strategic-merge-patch+json',
  apply: 'application/apply-patch+yaml',
};

/** The path of a collection: `/apis/apps/v1/namespaces/default/deployments`. */
export function collectionPath(type: ResourceType<KubeObject>, namespace: string | undefined): string {
  const root = type.group === '' ? `/api/${type.version}` : `/apis/${type.group}/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${type.resource}`;
}

/** The path of one object. */
export function objectPath(type: ResourceType<KubeObject>, name: ObjectName): string {
  if (type.namespaced && !name.namespace)
    throw new TypeError(`${type.resource} "${name.name}": an object of a namespaced resource needs a namespace`);
  if (!name.name) throw new TypeError(`${type.resource}: resource name may not be empty`);
  return `${collectionPath(type, name.namespace)}/${encodeURIComponent(name.name)}`;
}

/** A typed client over any transport. `close` closes the transport. */
export function createClient(transport: Transport): Client {
  const clients = new Map<string, ResourceClient<never>>();
  return {
    for<T extends KubeObject>(type: ResourceType<T>): ResourceClient<T> {
      const key = `${type.group}/${type.version}/${type.resource}`;
      const known = clients.get(key) as ResourceClient<T> | undefined;
      if (known) return known;
      const client = createResourceClient(transport, type);
      clients.set(key, client as unknown as ResourceClient<never>);
      return client;
    },
    request: (request) => transport.request(request),
    watch: (request, onEvents) => transport.watch(request, onEvents),
    close: () => transport.close(),
  };
}

function createResourceClient<T extends KubeObject>(transport: Transport, type: ResourceType<T>): ResourceClient<T> {
  const collection = (namespace?: string) => collectionPath(type, namespace);
  const path = (name: ObjectName, subresource?: string) =>
    objectPath(type, name) + (subresource ? `/${subresource}` : '');
  const send = async <R>(request: ApiRequest): Promise<R> => (await transport.request<R>(request)).body;
  const apiVersion = apiVersionOf(type.group, type.version);
  const typed = <O extends object>(object: O): O => ({ ...object, apiVersion, kind: type.kind });
  const put = (object: T, options: WriteOptions | undefined, subresource?: string) =>
    send<T>({
      method: 'PUT',
      path: path(object.metadata, subresource),
      query: writeQuery(options),
      body: typed(object),
      signal: options?.signal,
    });

  return {
    type,
    get: (name, options) =>
      send<T>({
        method: 'GET',
        path: path(name),
        query: { resourceVersion: options?.resourceVersion },
        signal: options?.signal,
      }),
    list: (options) =>
      send<KubeList<T>>({
        method: 'GET',
        path: collection(options?.namespace),
        query: listQuery(options),
        signal: options?.signal,
      }),
    watch: (options, onEvents) =>
      transport.watch(
        {
          method: 'GET',
          path: collection(options.namespace),
          query: watchQuery(options),
          signal: options.signal,
        },
        onEvents as unknown as (events: readonly WatchEvent[]) => void,
      ),
    create: (object, options) => {
      if (type.namespaced && !object.metadata.namespace)
        throw new TypeError(
          `${type.resource}: metadata.namespace is needed to create an object of a namespaced resource`,
        );
      return send<T>({
        method: 'POST',
        path: collection(object.metadata.namespace),
        query: writeQuery(options),
        body: typed(object),
        signal: options?.signal,
      });
    },
    update: (object, options) => put(object, options),
    updateStatus: (object, options) => put(object, options, 'status'),
    patch: (name, patchType, body, options) =>
      send<T>({
        method: 'PATCH',
        path: path(name, options?.subresource),
        query: { ...writeQuery(options), force: options?.force },
        contentType: PATCH_CONTENT_TYPES[patchType],
        body,
        signal: options?.signal,
      }),
    delete: async (name, options) => {
      await send({ method: 'DELETE', path: path(name), body: deleteBody(options), signal: options?.signal });
    },
    deleteCollection: async (listOptions, options) => {
      await send({
        method: 'DELETE',
        path: collection(listOptions.namespace),
        query: listQuery(listOptions),
        body: deleteBody(options),
        signal: options?.signal,
      });
    },
    createSubresource: (name, subresource, body, options) =>
      send({
        method: 'POST',
        path: path(name, subresource),
        query: writeQuery(options),
        body,
        signal: options?.signal,
      }),
    getSubresource: (name, subresource) => send({ method: 'GET', path: path(name, subresource) }),
    replaceSubresource: (name, subresource, body, options) =>
      send({ method: 'PUT', path: path(name, subresource), query: writeQuery(options), body, signal: options?.signal }),
  };
}

function listQuery(options: ListOptions | undefined): ApiRequest['query'] {
  return {
    labelSelector: options?.labelSelector || undefined,
    fieldSelector: options?.fieldSelector || undefined,
    limit: options?.limit,
    continue: options?.continue,
    resourceVersion: options?.resourceVersion,
    resourceVersionMatch: options?.resourceVersionMatch,
  };
}

function watchQuery(options: WatchOptions): ApiRequest['query'] {
  return {
    ...listQuery(options),
    allowWatchBookmarks: options.allowWatchBookmarks,
    sendInitialEvents: options.sendInitialEvents,
    timeoutSeconds: options.timeoutSeconds,
  };
}

function writeQuery(options: WriteOptions | undefined): ApiRequest['query'] {
  return {
    dryRun: options?.dryRun ? 'All' : undefined,
    fieldManager: options?.fieldManager,
    fieldValidation: options?.fieldValidation,
  };
}

function deleteBody(options: DeleteOptions | undefined): unknown {
  if (!options) return undefined;
  const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun } = options;
  return {
    apiVersion: 'v1',
    kind: 'DeleteOptions',
    ...(gracePeriodSeconds === undefined ? {} : { gracePeriodSeconds }),
    ...(propagationPolicy ? { propagationPolicy } : {}),
    ...(preconditions ? { preconditions } : {}),
    ...(dryRun ? { dryRun: ['All'] } : {}),
  };
}
