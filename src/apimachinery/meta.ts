import type { ListMeta, ObjectMeta } from './meta.v1.gen.ts';

export type * from './meta.v1.gen.ts';

/** Every API object: plain JSON in the wire form, deeply readonly. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A KubeObject whose other fields are of no known type (custom resources, generic code). */
export type UnstructuredObject = KubeObject & { readonly [field: string]: unknown };

export interface KubeList<T = UnstructuredObject> {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ListMeta;
  readonly items: readonly T[];
}

/** What a caller hands to `create`: an object whose metadata the server completes. */
export type NewObject<T> = Omit<T, 'metadata' | 'status' | 'spec'> &
  (T extends { readonly spec: infer S } ? { readonly spec?: S } : unknown) & {
    readonly metadata: Partial<ObjectMeta>;
    readonly status?: unknown;
  };

export interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}

export interface GroupVersionResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

export interface GroupResource {
  readonly group: string;
  readonly resource: string;
}

export type WatchEventType = 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';

export interface WatchEvent<T = UnstructuredObject> {
  readonly type: WatchEventType;
  readonly object: T;
}

export type Verb = 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete' | 'deletecollection';

/** `apps/v1` for a named group, `v1` for the core group. */
export function apiVersionOf(group: string, version: string): string {
  return group === '' ? version : `${group}/${version}`;
}

/** The inverse of `apiVersionOf`. */
export function parseApiVersion(apiVersion: string): { group: string; version: string } {
  const slash = apiVersion.indexOf('/');
  return slash < 0
    ? { group: '', version: apiVersion }
    : { group: apiVersion.slice(0, slash), version: apiVersion.slice(slash + 1) };
}

/** `namespace/name`, or the bare name of a cluster-scoped object: the key of caches and work queues. */
export function objectKey(object: { readonly metadata: Pick<ObjectMeta, 'name' | 'namespace'> }): string {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

export function splitObjectKey(key: string): { namespace: string | undefined; name: string } {
  const slash = key.indexOf('/');
  return slash < 0
    ? { namespace: undefined, name: key }
    : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** The owner reference with `controller: true`, if there is one. */
export function controllerOf(object: { readonly metadata: ObjectMeta }) {
  return object.metadata.ownerReferences?.find((reference) => reference.controller === true);
}
