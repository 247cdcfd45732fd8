import { Buffer } from 'node:buffer';
import type { KubeObject, UnstructuredObject } from '../../apimachinery/meta.ts';

/**
 * The stored form: compact JSON whose first three fields are apiVersion, kind and metadata, without resourceVersion
 * (the store's mod-revision is the resource version, and it is not known before the commit).
 */
export function encodeStored(object: KubeObject): Buffer {
  const { apiVersion, kind, metadata, ...rest } = object;
  return Buffer.from(
    JSON.stringify({ apiVersion, kind, metadata: { ...metadata, resourceVersion: undefined }, ...rest }),
  );
}

/** The same object as it reads once it is stored at `revision`. */
export function withRevision(object: KubeObject, revision: number): UnstructuredObject {
  const { apiVersion, kind, metadata, ...rest } = object;
  return {
    apiVersion,
    kind,
    metadata: { ...metadata, resourceVersion: String(revision) },
    ...rest,
  } as UnstructuredObject;
}

/** Freezes plain JSON data all the way down; what is frozen already is taken as deeply frozen. */
export function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  for (const key in value) deepFreeze((value as Record<string, unknown>)[key]);
  return Object.freeze(value);
}
