import type { KindDefinition, KindRegistry } from '../api/kind.ts';
import type { UnstructuredObject } from '../apimachinery/meta.ts';
import { cacheKey } from './registry/object-storage.ts';
import { compileSelection } from './watch-cache/filter.ts';
import type { WatchCache } from './watch-cache/watch-cache.ts';

/**
 * The server's own look at its objects, without waiting and without authorization: for authenticators, authorizers and
 * admission. Resources go by their plural, `roles.rbac.authorization.k8s.io` or the short form where only one is meant.
 */
export class ObjectReader {
  readonly #kinds: KindRegistry;
  readonly #cache: WatchCache;
  readonly #definitions = new Map<string, KindDefinition>();

  constructor(kinds: KindRegistry, cache: WatchCache) {
    this.#kinds = kinds;
    this.#cache = cache;
  }

  get<T = UnstructuredObject>(resource: string, name: string, namespace = ''): T | undefined {
    const definition = this.#definition(resource);
    const entry = this.#cache.for(definition).get(cacheKey(namespace, name));
    return entry && (entry.as(definition).object as unknown as T);
  }

  list<T = UnstructuredObject>(resource: string, namespace = ''): readonly T[] {
    const definition = this.#definition(resource);
    const selection = compileSelection(definition, namespace, undefined, undefined);
    return this.#cache
      .for(definition)
      .select(definition, selection)
      .map((entry) => entry.as(definition).object as unknown as T);
  }

  /** As `get`, after everything that was acknowledged by anybody is in. */
  async fetch<T = UnstructuredObject>(resource: string, name: string, namespace = ''): Promise<T | undefined> {
    await this.#cache.fresh();
    return this.get(resource, name, namespace);
  }

  /** Calls back for the objects there are before it returns, and then for every change. The result ends it. */
  subscribe<T = UnstructuredObject>(
    resources: readonly string[],
    listener: { upsert(object: T): void; remove(object: T): void },
  ): () => void {
    const ends = resources.map((resource) => {
      const definition = this.#definition(resource);
      return this.#cache.for(definition).listen({
        upsert: (entry) => listener.upsert(entry.as(definition).object as unknown as T),
        remove: (entry) => listener.remove(entry.as(definition).object as unknown as T),
      });
    });
    return () => {
      for (const end of ends) end();
    };
  }

  #definition(resource: string): KindDefinition {
    let definition = this.#definitions.get(resource);
    if (definition) return definition;
    const dot = resource.indexOf('.');
    const [name, group] = dot < 0 ? [resource, undefined] : [resource.slice(0, dot), resource.slice(dot + 1)];
    // The core group is first in the registry: `events` is its.
    definition = this.#kinds
      .all()
      .find((kind) => kind.resource === name && (group === undefined || kind.group === group));
    if (!definition) throw new Error(`no kind is served as ${resource}`);
    this.#definitions.set(resource, definition);
    return definition;
  }
}
