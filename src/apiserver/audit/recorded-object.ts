import { parse } from 'yaml';
import type { RequestBody } from '../request/request-context.ts';

/** What a request body holds; undefined when it is empty or can't be read, which its handler will say. */
export function bodyObject(body: RequestBody): unknown {
  if ('object' in body) {
    // Whoever owns it may change it before the event is written.
    return body.owned ? structuredClone(body.object) : body.object;
  }
  if (body.bytes.length === 0) return undefined;
  const text = Buffer.from(body.bytes.buffer, body.bytes.byteOffset, body.bytes.byteLength).toString('utf8');
  try {
    return body.contentType.includes('yaml') ? parse(text) : JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The object, or list of objects, without `metadata.managedFields`. */
export function withoutManagedFields(given: unknown): unknown {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) return given;
  const object = given as { readonly metadata?: unknown; readonly items?: unknown };
  const { metadata, items } = object;
  const managed = typeof metadata === 'object' && metadata !== null && 'managedFields' in metadata;
  if (!managed && !Array.isArray(items)) return given;
  const copy: Record<string, unknown> = { ...object };
  if (managed) {
    const { managedFields: _, ...rest } = metadata;
    copy.metadata = rest;
  }
  if (Array.isArray(items)) copy.items = items.map(withoutManagedFields);
  return copy;
}
