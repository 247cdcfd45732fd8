import { type Decoded, type DecodeOptions, MAX_DEPTH } from './decoded.ts';
import type { JSONValue } from './json.ts';
import { findDuplicateKeys, jsonSyntaxError } from './json-scanner.ts';
import { badRequest } from './status-error.ts';

export { decodeYaml } from './decode-yaml.ts';
export type { Decoded, DecodeOptions } from './decoded.ts';

/**
 * Throws StatusError 400 with the message of Kubernetes' decoder. A `__proto__` key is kept as an own property, as any
 * other key; whoever copies must keep it so.
 */
export function decodeJson(body: Uint8Array | string, options: DecodeOptions = {}): Decoded {
  const text = typeof body === 'string' ? body : toText(body);
  let value: JSONValue;
  try {
    value = JSON.parse(text) as JSONValue;
  } catch {
    throw badRequest(`couldn't get version/kind; json parse error: ${jsonSyntaxError(text)}`);
  }
  const keys = measure(value, 0);
  const duplicateFields = options.duplicates && countColons(text) !== keys ? findDuplicateKeys(text) : [];
  return { value, duplicateFields };
}

function toText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

/** The number of keys in all objects. Throws when the nesting is too deep. */
function measure(value: JSONValue | undefined, depth: number): number {
  if (typeof value !== 'object' || value === null) return 0;
  if (depth >= MAX_DEPTH) throw badRequest("couldn't get version/kind; json parse error: exceeded max depth");
  let keys = 0;
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item = value[i];
      if (typeof item === 'object' && item !== null) keys += measure(item, depth + 1);
    }
    return keys;
  }
  for (const key in value) {
    keys++;
    const field = (value as Record<string, JSONValue>)[key];
    if (typeof field === 'object' && field !== null) keys += measure(field, depth + 1);
  }
  return keys;
}

/** Colons outside strings: as many as keys were written. `text` is valid JSON. */
function countColons(text: string): number {
  let count = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === 58) count++;
    else if (code === 34) {
      for (i++; i < text.length; i++) {
        const inner = text.charCodeAt(i);
        if (inner === 92) i++;
        else if (inner === 34) break;
      }
    }
  }
  return count;
}
