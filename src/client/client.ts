import type { KubeList, KubeObject, NewObject, UnstructuredObject, WatchEvent } from '../apimachinery/meta.ts';
import type { ApiRequest, ApiResponse, WatchStream } from '../apimachinery/transport.ts';

/** Names a resource: everything a path needs. `T` is the type of its objects. */
export interface ResourceType<T extends KubeObject = UnstructuredObject> {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** Plural, as in the path. */
  readonly resource: string;
  readonly namespaced: boolean;
  /** Never set; carries `T`. */
  readonly __type?: T;
}

export interface ListOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly limit?: number;
  readonly continue?: string;
  readonly resourceVersion?: string;
  readonly resourceVersionMatch?: 'Exact' | 'NotOlderThan';
  readonly signal?: AbortSignal;
}

export interface WatchOptions extends ListOptions {
  readonly allowWatchBookmarks?: boolean;
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds?: number;
}

export interface WriteOptions {
  readonly dryRun?: boolean;
  readonly fieldManager?: string;
  readonly fieldValidation?: 'Strict' | 'Warn' | 'Ignore';
  readonly signal?: AbortSignal;
}

export interface PatchOptions extends WriteOptions {
  readonly force?: boolean;
  readonly subresource?: string;
}

export interface DeleteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Orphan' | 'Background' | 'Foreground';
  readonly preconditions?: { readonly uid?: string; readonly resourceVersion?: string };
  readonly dryRun?: boolean;
  readonly signal?: AbortSignal;
}

export type PatchType = 'json' | 'merge' | 'strategic' | 'apply';

export interface ObjectName {
  readonly name: string;
  /** Absent for cluster-scoped resources. */
  readonly namespace?: string;
}

/** Calls on one resource. All throw StatusError. */
export interface ResourceClient<T extends KubeObject> {
  readonly type: ResourceType<T>;
  get(name: ObjectName, options?: { resourceVersion?: string; signal?: AbortSignal }): Promise<T>;
  list(options?: ListOptions): Promise<KubeList<T>>;
  watch(options: WatchOptions, onEvents: (events: readonly WatchEvent<T>[]) => void): WatchStream;
  /** The namespace is taken from the object's metadata. */
  create(object: NewObject<T>, options?: WriteOptions): Promise<T>;
  update(object: T, options?: WriteOptions): Promise<T>;
  updateStatus(object: T, options?: WriteOptions): Promise<T>;
  patch(name: ObjectName, type: PatchType, body: unknown, options?: PatchOptions): Promise<T>;
  delete(name: ObjectName, options?: DeleteOptions): Promise<void>;
  deleteCollection(listOptions: ListOptions, options?: DeleteOptions): Promise<void>;
  /** POST to a subresource: `eviction`, `binding`, `token`, `approval` by PUT is `replaceSubresource`. */
  createSubresource<R = UnstructuredObject>(
    name: ObjectName,
    subresource: string,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>;
  getSubresource<R = UnstructuredObject>(name: ObjectName, subresource: string): Promise<R>;
  replaceSubresource<R = UnstructuredObject>(
    name: ObjectName,
    subresource: string,
    body: unknown,
    options?: WriteOptions,
  ): Promise<R>;
}

export interface Client {
  /** E.g. `client.for(Pods)` with the constants of `resource-types.ts`, or any ResourceType of a CRD. */
  for<T extends KubeObject>(type: ResourceType<T>): ResourceClient<T>;
  /** Any path: discovery, `/version`, subresources without a method of their own. */
  request<T = unknown>(request: ApiRequest): Promise<ApiResponse<T>>;
  /** A watch of any path, e.g. with an `accept` header of its own. */
  watch(request: ApiRequest, onEvents: (events: readonly WatchEvent[]) => void): WatchStream;
  close(): Promise<void>;
}
