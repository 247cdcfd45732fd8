import { randomUUID } from 'node:crypto';
import { parseFieldSelector } from '../../apimachinery/fields.ts';
import { parseLabelSelector } from '../../apimachinery/labels.ts';
import {
  apiVersionOf,
  type KubeObject,
  objectKey,
  type UnstructuredObject,
  type WatchEvent,
} from '../../apimachinery/meta.ts';
import {
  alreadyExists,
  badRequest,
  conflict,
  expired,
  forbidden,
  methodNotSupported,
  modifiedConflict,
  notFound,
} from '../../apimachinery/status-error.ts';
import type { ApiRequest, ApiResponse, Transport, WatchStream } from '../../apimachinery/transport.ts';
import type { ResourceType } from '../client.ts';
import * as builtin from '../resource-types.gen.ts';
import { fakeDiscovery } from './fake-discovery.ts';
import { applyFakePatch } from './fake-patch.ts';
import { createFakeStorage, type FakeChange } from './fake-storage.ts';

/** An API of its own in memory, for tests of clients and controllers. Objects may be put in and read past the API. */
export interface FakeTransport extends Transport {
  /** Every request so far, watches included. */
  readonly requests: readonly ApiRequest[];
  /** Creates or replaces as is: no defaults, no conflicts; what is missing of uid and timestamps is added. */
  put<T extends KubeObject>(object: T): T;
  /** Takes away at once, finalizers or not. */
  remove<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): void;
  get<T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string): T | undefined;
  list<T extends KubeObject>(type: ResourceType<T>, namespace?: string): readonly T[];
  /** The next request that `matches` fails with `error`. */
  failOnce(matches: (request: ApiRequest) => boolean, error: Error): void;
  /** Answers requests to a path that is no resource's: metrics, reviews. */
  answer(path: string, respond: (body: unknown, request: ApiRequest) => unknown): void;
  /** Ends all watches as a broken connection does. */
  dropWatches(error?: Error): void;
  /** Forgets the history: watches that come back get 410. */
  compact(): void;
  /** Adds a kind, as a CRD does. */
  addType(type: ResourceType<KubeObject>): void;
  removeType(type: ResourceType<KubeObject>): void;
}

export interface FakeTransportOptions {
  readonly objects?: readonly (KubeObject | UnstructuredObject)[];
  /** Beyond the built-in ones. */
  readonly types?: readonly ResourceType<KubeObject>[];
  readonly now?: () => number;
}

interface Target {
  readonly type: ResourceType<KubeObject>;
  readonly collection: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly subresource: string | undefined;
}

type Json = Record<string, unknown>;

export function createFakeTransport(options: FakeTransportOptions = {}): FakeTransport {
  const now = options.now ?? Date.now;
  const storage = createFakeStorage();
  const types = new Map<string, ResourceType<KubeObject>>();
  const requests: ApiRequest[] = [];
  const failures: { matches: (request: ApiRequest) => boolean; error: Error }[] = [];
  const answers = new Map<string, (body: unknown, request: ApiRequest) => unknown>();
  const watches = new Set<(error?: Error) => void>();
  let names = 0;

  const typeKey = (type: ResourceType<KubeObject>) => `${type.group}/${type.version}/${type.resource}`;
  const collectionOf = (type: ResourceType<KubeObject>) => `${type.group}/${type.resource}`;
  const addType = (type: ResourceType<KubeObject>) => void types.set(typeKey(type), type);
  for (const type of [...Object.values(builtin), ...(options.types ?? [])]) addType(type);
  const timestamp = () => new Date(now()).toISOString().replace(/\.\d+Z$/, 'Z');

  function typeOfObject(object: KubeObject): ResourceType<KubeObject> {
    for (const type of types.values())
      if (apiVersionOf(type.group, type.version) === object.apiVersion && type.kind === object.kind) return type;
    throw new Error(`the fake API has no kind ${object.apiVersion} ${object.kind}`);
  }

  function parse(path: string): Target {
    const parts = path.split('/').slice(1).map(decodeURIComponent);
    const [group, version] = parts[0] === 'api' ? ['', parts[1]] : [parts[1], parts[2]];
    const rest = parts.slice(parts[0] === 'api' ? 2 : 3);
    let namespace: string | undefined;
    if (rest[0] === 'namespaces' && rest.length > 2 && types.has(`${group}/${version}/${rest[2]}`))
      namespace = rest.splice(0, 2)[1];
    const type = types.get(`${group}/${version}/${rest[0]}`);
    if (!type) throw notFound({ group: '', resource: '' }, path);
    return { type, collection: collectionOf(type), namespace, name: rest[1], subresource: rest[2] };
  }

  const keyOf = (target: Target) => (target.namespace ? `${target.namespace}/${target.name}` : (target.name ?? ''));
  function stored(target: Target): UnstructuredObject {
    const object = storage.get(target.collection, keyOf(target));
    if (!object) throw notFound(target.type, target.name ?? '');
    return object;
  }

  function create(target: Target, body: Json): UnstructuredObject {
    const metadata = { ...(body.metadata as Json) };
    if (!metadata.name && metadata.generateName)
      metadata.name = `${metadata.generateName}${(++names).toString(36).padStart(5, 'x')}`;
    if (!metadata.name) throw badRequest('name or generateName is required');
    if (target.namespace) metadata.namespace = target.namespace;
    const object = {
      ...body,
      metadata: {
        ...metadata,
        uid: randomUUID(),
        creationTimestamp: timestamp(),
        ...('spec' in body ? { generation: 1 } : {}),
      },
    } as unknown as UnstructuredObject;
    const key = objectKey(object);
    if (storage.get(target.collection, key)) throw alreadyExists(target.type, object.metadata.name);
    const namespace = target.namespace ? storage.get('/namespaces', target.namespace) : undefined;
    if (namespace?.metadata.deletionTimestamp)
      throw forbidden(
        target.type,
        object.metadata.name,
        `unable to create new content in namespace ${target.namespace} because it is being terminated`,
      );
    return storage.put(target.collection, key, object);
  }

  function write(target: Target, old: UnstructuredObject, next: Json): UnstructuredObject {
    const metadata = next.metadata as UnstructuredObject['metadata'];
    if (metadata.resourceVersion && metadata.resourceVersion !== old.metadata.resourceVersion)
      throw modifiedConflict(target.type, old.metadata.name);
    if (metadata.uid && metadata.uid !== old.metadata.uid)
      throw conflict(
        target.type,
        old.metadata.name,
        `Precondition failed: UID in precondition: ${metadata.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    const { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation } = old.metadata;
    const kept = { uid, creationTimestamp, deletionTimestamp, deletionGracePeriodSeconds, generation };
    let object: UnstructuredObject;
    if (target.subresource === 'status' || target.subresource === 'approval')
      object = {
        ...old,
        metadata: { ...old.metadata, labels: metadata.labels, annotations: metadata.annotations },
        status: next.status,
      };
    else {
      const status = old.status ?? (hasStatus(target.type) ? undefined : next.status);
      object = { ...next, metadata: { ...metadata, ...kept }, status } as unknown as UnstructuredObject;
      if (same({ ...object, metadata: 0, status: 0 }, { ...old, metadata: 0, status: 0 }) === false && generation)
        object = { ...object, metadata: { ...object.metadata, generation: generation + 1 } };
    }
    object = JSON.parse(JSON.stringify(object)) as UnstructuredObject;
    if (
      same(
        { ...object, metadata: { ...object.metadata, resourceVersion: '' } },
        { ...old, metadata: { ...old.metadata, resourceVersion: '' } },
      )
    )
      return old;
    if (object.metadata.deletionTimestamp && isFree(object)) return storage.delete(target.collection, keyOf(target));
    return storage.put(target.collection, keyOf(target), object);
  }

  /** Nothing holds a deleted object any more: finalizers, a namespace's own, a pod's grace period. */
  function isFree(object: UnstructuredObject): boolean {
    if (object.metadata.finalizers?.length) return false;
    if (object.kind === 'Namespace')
      return !((object.spec as Json | undefined)?.finalizers as unknown[] | undefined)?.length;
    return !object.metadata.deletionGracePeriodSeconds;
  }

  function remove(target: Target, body: Json | undefined): UnstructuredObject {
    const old = stored(target);
    const conditions = body?.preconditions as { uid?: string; resourceVersion?: string } | undefined;
    if (conditions?.uid && conditions.uid !== old.metadata.uid)
      throw conflict(
        target.type,
        old.metadata.name,
        `Precondition failed: UID in precondition: ${conditions.uid}, UID in object meta: ${old.metadata.uid}`,
      );
    if (conditions?.resourceVersion && conditions.resourceVersion !== old.metadata.resourceVersion)
      throw modifiedConflict(target.type, old.metadata.name);
    const policy = body?.propagationPolicy;
    const finalizers = new Set(old.metadata.finalizers ?? []);
    if (policy) for (const name of ['orphan', 'foregroundDeletion']) finalizers.delete(name);
    if (policy === 'Orphan') finalizers.add('orphan');
    if (policy === 'Foreground') finalizers.add('foregroundDeletion');
    const grace = graceOf(old, body);
    const next: UnstructuredObject = {
      ...old,
      metadata: {
        ...old.metadata,
        finalizers: [...finalizers],
        deletionTimestamp:
          old.metadata.deletionTimestamp ?? new Date(now() + grace * 1000).toISOString().replace(/\.\d+Z$/, 'Z'),
        deletionGracePeriodSeconds: grace,
      },
      ...(old.kind === 'Namespace' ? { status: { ...(old.status as Json), phase: 'Terminating' } } : {}),
    };
    if (isFree(next)) return storage.delete(target.collection, keyOf(target));
    if (same(next, old)) return old;
    return storage.put(target.collection, keyOf(target), next);
  }

  function graceOf(object: UnstructuredObject, body: Json | undefined): number {
    if (object.kind !== 'Pod') return 0;
    const spec = object.spec as { nodeName?: string; terminationGracePeriodSeconds?: number } | undefined;
    const phase = (object.status as { phase?: string } | undefined)?.phase;
    if (!spec?.nodeName || phase === 'Succeeded' || phase === 'Failed') return 0;
    return (body?.gracePeriodSeconds as number | undefined) ?? spec.terminationGracePeriodSeconds ?? 30;
  }

  function matcher(target: Target, query: ApiRequest['query']): (object: UnstructuredObject) => boolean {
    const labels = query?.labelSelector ? parseLabelSelector(String(query.labelSelector)) : undefined;
    const fields = query?.fieldSelector ? parseFieldSelector(String(query.fieldSelector)) : undefined;
    return (object) =>
      (!target.namespace || object.metadata.namespace === target.namespace) &&
      (!labels || labels.matches(object.metadata.labels)) &&
      (!fields || fields.matches((field) => fieldOf(object, field)));
  }

  function handle(request: ApiRequest): unknown {
    const respond = answers.get(request.path);
    if (respond) return respond(request.body, request);
    const document = fakeDiscovery(request.path, [...types.values()]);
    if (document) return document;
    const target = parse(request.path);
    const { type, collection, name, subresource } = target;
    const body = request.body === undefined ? undefined : (JSON.parse(JSON.stringify(request.body)) as Json);
    const dryRun = request.query?.dryRun !== undefined;
    if (dryRun) throw badRequest('the fake API has no dry run');
    if (name === undefined) {
      const matches = matcher(target, request.query);
      if (request.method === 'POST') return create(target, body ?? {});
      const items = storage.list(collection).filter(matches);
      if (request.method === 'DELETE')
        for (const item of items)
          remove({ ...target, namespace: item.metadata.namespace, name: item.metadata.name }, body);
      else if (request.method !== 'GET') throw methodNotSupported(type, request.method.toLowerCase());
      const metadata = { resourceVersion: String(storage.revision) };
      return { apiVersion: apiVersionOf(type.group, type.version), kind: `${type.kind}List`, metadata, items };
    }
    switch (request.method) {
      case 'GET':
        return stored(target);
      case 'DELETE':
        return remove(target, body);
      case 'PUT':
        return write(target, stored(target), body ?? {});
      case 'PATCH': {
        const old = storage.get(collection, keyOf(target));
        if (!old && request.contentType === 'application/apply-patch+yaml') return create(target, body ?? {});
        const current = stored(target);
        return write(target, current, applyFakePatch(current as unknown as Json, request.contentType ?? '', body));
      }
      case 'POST': {
        if (subresource === 'eviction') return remove(target, (body?.deleteOptions as Json | undefined) ?? {});
        if (subresource === 'binding') {
          const pod = stored(target);
          const nodeName = (body?.target as { name?: string } | undefined)?.name;
          return write({ ...target, subresource: undefined }, pod, {
            ...pod,
            spec: { ...(pod.spec as Json), nodeName },
          });
        }
        throw methodNotSupported(type, 'create');
      }
    }
  }

  function check(request: ApiRequest): void {
    requests.push(request);
    request.signal?.throwIfAborted();
    const index = failures.findIndex(({ matches }) => matches(request));
    if (index >= 0) throw failures.splice(index, 1)[0]?.error;
  }

  function watch(request: ApiRequest, onEvents: (events: readonly WatchEvent[]) => void): WatchStream {
    let end: (error?: Error) => void = () => {};
    const done = new Promise<void>((resolve, reject) => {
      end = (error) => {
        watches.delete(end);
        stopListening();
        if (error) reject(error);
        else resolve();
      };
    });
    let stopListening = () => {};
    done.catch(() => {});
    watches.add(end);
    request.signal?.addEventListener('abort', () => end(), { once: true });
    try {
      check({ ...request, query: { ...request.query, watch: true } });
      const target = parse(request.path);
      const matches = matcher(target, request.query);
      const deliver = (change: FakeChange) => {
        const event = change.collection === target.collection ? eventFor(change, matches) : undefined;
        if (event) onEvents([event]);
      };
      const past = storage.since(Number(request.query?.resourceVersion ?? storage.revision));
      if (!past) throw expired('too old resource version');
      stopListening = storage.onChange((change) => queueMicrotask(() => watches.has(end) && deliver(change)));
      for (const change of past) queueMicrotask(() => watches.has(end) && deliver(change));
    } catch (error) {
      queueMicrotask(() => end(error as Error));
    }
    return { done, stop: () => end() };
  }

  for (const object of options.objects ?? []) put(object);

  function put<T extends KubeObject>(object: T): T {
    const type = typeOfObject(object);
    const metadata = { ...object.metadata };
    const complete = { uid: randomUUID(), creationTimestamp: timestamp(), generation: 1, ...metadata };
    const whole = { ...object, metadata: complete } as unknown as UnstructuredObject;
    return storage.put(collectionOf(type), objectKey(object), whole) as unknown as T;
  }

  return {
    requests,
    put,
    remove: (type, name, namespace) =>
      void storage.delete(collectionOf(type), namespace ? `${namespace}/${name}` : name),
    get: <T extends KubeObject>(type: ResourceType<T>, name: string, namespace?: string) =>
      storage.get(collectionOf(type), namespace ? `${namespace}/${name}` : name) as unknown as T | undefined,
    list: <T extends KubeObject>(type: ResourceType<T>, namespace?: string) =>
      storage
        .list(collectionOf(type))
        .filter((object) => !namespace || object.metadata.namespace === namespace) as unknown as readonly T[],
    failOnce: (matches, error) => void failures.push({ matches, error }),
    answer: (path, respond) => void answers.set(path, respond),
    dropWatches: (error) => {
      for (const end of [...watches]) end(error ?? new Error('the connection was lost'));
    },
    compact: () => storage.compact(),
    addType,
    removeType: (type) => void types.delete(typeKey(type)),
    async request<T>(request: ApiRequest): Promise<ApiResponse<T>> {
      // A turn of the event loop stands for the network.
      await new Promise((resolve) => setImmediate(resolve));
      check(request);
      return { status: 200, body: handle(request) as T, warnings: [] };
    },
    watch,
    async close() {
      for (const end of [...watches]) end();
    },
  };
}

function eventFor(change: FakeChange, matches: (object: UnstructuredObject) => boolean): WatchEvent | undefined {
  const is = change.type !== 'DELETED' && matches(change.object);
  const was = change.old !== undefined && matches(change.old);
  if (!is && !was) return undefined;
  const type = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
  return { type, object: change.object };
}

const STATUSLESS = new Set(['ConfigMap', 'Secret', 'Endpoints', 'EndpointSlice', 'Lease', 'Event', 'ServiceAccount']);
const hasStatus = (type: ResourceType<KubeObject>) => !STATUSLESS.has(type.kind);

function fieldOf(object: UnstructuredObject, field: string): string {
  let value: unknown = object;
  for (const step of field.split('.')) value = (value as Json | undefined)?.[step];
  return value === undefined ? '' : String(value);
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(sorted(a)) === JSON.stringify(sorted(b));
}
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, field]) => field !== undefined);
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, field]) => [key, sorted(field)]));
}
