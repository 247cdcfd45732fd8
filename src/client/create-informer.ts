import { performance } from 'node:perf_hooks';
import type { Logger } from '../apimachinery/logger.ts';
import { type KubeList, type KubeObject, objectKey, type WatchEvent } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { WatchStream } from '../apimachinery/transport.ts';
import { createBackoff, pause } from './backoff.ts';
import type { Client, ResourceType } from './client.ts';
import { collectionPath } from './create-client.ts';
import type { Informer, InformerHandler, InformerSelector } from './informer.ts';
import { createInformerStore } from './informer-store.ts';

export interface InformerOptions extends InformerSelector {
  readonly logger: Logger;
  /** Asks for metadata alone (PartialObjectMetadata); an in-process server may hand out the whole object instead. */
  readonly metadataOnly?: boolean;
  /** A watch without any event, bookmarks included, for this long is replaced. */
  readonly silenceMs?: number;
}

export interface RunningInformer<T extends KubeObject> extends Informer<T> {
  start(): void;
  stop(): Promise<void>;
}

const SILENCE_MS = 180_000;
/** Objects handed to the handlers before the event loop gets a turn, while a list is taken in. */
const SLICE = 500;
const AS_METADATA = 'as=PartialObjectMetadata';

/** An informer on its own; `createInformerFactory` shares them. */
export function createInformer<T extends KubeObject>(
  client: Client,
  type: ResourceType<T>,
  options: InformerOptions,
): RunningInformer<T> {
  const logger = options.logger.child({ informer: type.group ? `${type.resource}.${type.group}` : type.resource });
  const store = createInformerStore<T>(type.namespaced);
  const handlers = new Set<InformerHandler<T>>();
  const abort = new AbortController();
  const backoff = createBackoff({ baseMs: 100, maxMs: 5_000 });
  const waiting = new Set<() => void>();
  let synced = false;
  let running: Promise<void> | undefined;
  let resourceVersion: string | undefined;
  let relisting = false;

  function tell(call: (handler: InformerHandler<T>) => void): void {
    for (const handler of handlers) guard(() => call(handler));
  }
  function guard(call: () => void): void {
    try {
      call();
    } catch (error) {
      logger.error({ err: error }, 'an informer handler threw');
    }
  }

  function put(object: T): void {
    const key = objectKey(object);
    const old = store.get(key);
    if (old && old.metadata.resourceVersion === object.metadata.resourceVersion) return;
    if (old && old.metadata.uid !== object.metadata.uid) {
      store.delete(key);
      tell((handler) => handler.onDelete?.(old));
    }
    const before = store.set(key, object);
    if (before) tell((handler) => handler.onUpdate?.(object, before));
    else tell((handler) => handler.onAdd?.(object, !synced));
  }
  function drop(key: string, last?: T): void {
    const old = store.delete(key);
    if (old) tell((handler) => handler.onDelete?.(last ?? old));
  }

  async function list(): Promise<void> {
    // A first list may come from the server's cache; after a gap it has to be consistent, or time could run backwards.
    const response = await fetchList(relisting ? undefined : '0');
    const seen = new Set<string>();
    let count = 0;
    for (const item of response.items) {
      const object = complete(item, response);
      seen.add(objectKey(object));
      put(object);
      if (++count % SLICE === 0) await new Promise((resolve) => setImmediate(resolve));
      if (abort.signal.aborted) return;
    }
    for (const key of [...store.keys()]) if (!seen.has(key)) drop(key);
    resourceVersion = response.metadata.resourceVersion ?? '0';
    relisting = true;
    if (!synced) {
      synced = true;
      for (const resolve of waiting) resolve();
      waiting.clear();
    }
  }

  async function fetchList(version: string | undefined): Promise<KubeList<T>> {
    if (!options.metadataOnly)
      return client.for(type).list({ ...selector(), resourceVersion: version, signal: abort.signal });
    const response = await client.request<KubeList<T>>({
      method: 'GET',
      path: collectionPath(type, options.namespace),
      query: { ...selectorQuery(), resourceVersion: version },
      headers: { accept: `application/json;${AS_METADATA}List;g=meta.k8s.io;v=v1,application/json` },
      signal: abort.signal,
    });
    return response.body;
  }
  /** Items of typed lists carry neither kind nor apiVersion on the wire. */
  function complete(item: T, response: KubeList<T>): T {
    if (item.kind && item.apiVersion) return item;
    return { ...item, apiVersion: response.apiVersion, kind: type.kind };
  }

  function selector(): InformerSelector {
    const { namespace, fieldSelector, labelSelector } = options;
    return { namespace, fieldSelector, labelSelector };
  }
  function selectorQuery() {
    return { fieldSelector: options.fieldSelector, labelSelector: options.labelSelector };
  }

  async function watch(): Promise<void> {
    let last = performance.now();
    const onEvents = (events: readonly WatchEvent<T>[]) => {
      last = performance.now();
      backoff.reset();
      for (const { type: event, object } of events) {
        if (event === 'DELETED') drop(objectKey(object), object);
        else if (event === 'ADDED' || event === 'MODIFIED') put(object);
        if (object.metadata?.resourceVersion) resourceVersion = object.metadata.resourceVersion;
      }
    };
    // Spread over five to ten minutes, so that the watches of a process don't end together.
    const timeoutSeconds = Math.round(300 + Math.random() * 300);
    const query = { resourceVersion, allowWatchBookmarks: true, timeoutSeconds };
    const stream: WatchStream = options.metadataOnly
      ? openMetadataWatch(query, onEvents)
      : client.for(type).watch({ ...selector(), ...query, signal: abort.signal }, onEvents);
    const silenceMs = options.silenceMs ?? SILENCE_MS;
    const timer = setInterval(() => {
      if (performance.now() - last < silenceMs) return;
      logger.debug({ silenceMs }, 'watch is silent; reconnecting');
      stream.stop();
    }, silenceMs / 4);
    timer.unref?.();
    try {
      await stream.done;
    } finally {
      clearInterval(timer);
    }
  }

  function openMetadataWatch(query: object, onEvents: (events: readonly WatchEvent<T>[]) => void): WatchStream {
    return client.watch(
      {
        method: 'GET',
        path: collectionPath(type, options.namespace),
        query: { ...selectorQuery(), ...query },
        headers: { accept: `application/json;${AS_METADATA};g=meta.k8s.io;v=v1,application/json` },
        signal: abort.signal,
      },
      onEvents as unknown as (events: readonly WatchEvent[]) => void,
    );
  }

  async function run(): Promise<void> {
    while (!abort.signal.aborted) {
      const began = performance.now();
      try {
        if (resourceVersion === undefined) await list();
        if (abort.signal.aborted) return;
        await watch();
        // A server that ends every watch at once must not be asked in a tight loop.
        if (performance.now() - began < 1_000) await pause(backoff.next(), abort.signal);
      } catch (error) {
        if (abort.signal.aborted) return;
        if (isStatusError(error) && (error.code === 410 || error.reason === 'Expired' || error.reason === 'Gone')) {
          logger.debug({ resourceVersion }, 'watch history is gone; listing again');
          resourceVersion = undefined;
          if (performance.now() - began < 1_000) await pause(backoff.next(), abort.signal);
          continue;
        }
        // Too large a resource version: a server that was restored from an older state.
        if (isStatusError(error, 'Timeout') && error.message.includes('Too large resource version'))
          resourceVersion = undefined;
        const wait = backoff.next();
        logger.debug({ err: error, retryInMs: Math.round(wait) }, 'list or watch failed');
        await pause(wait, abort.signal);
      }
    }
  }

  return {
    type,
    get synced() {
      return synced;
    },
    get size() {
      return store.size;
    },
    whenSynced(signal) {
      if (synced) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const done = () => {
          signal?.removeEventListener('abort', onAbort);
          resolve();
        };
        const onAbort = () => {
          waiting.delete(done);
          reject(signal?.reason ?? new Error('aborted'));
        };
        if (signal?.aborted) return onAbort();
        signal?.addEventListener('abort', onAbort, { once: true });
        waiting.add(done);
      });
    },
    get: (key) => store.get(key),
    list: (namespace) => store.list(namespace),
    byIndex: (index, value) => store.byIndex(index, value),
    addIndex: (name, keys) => store.addIndex(name, keys),
    addHandler(handler) {
      const own = { ...handler };
      for (const object of store.values()) guard(() => own.onAdd?.(object, true));
      handlers.add(own);
      return () => handlers.delete(own);
    },
    start() {
      running ??= run();
    },
    async stop() {
      abort.abort();
      handlers.clear();
      await running;
    },
  };
}
