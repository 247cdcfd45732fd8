import type { PodTemplateSpec } from '../../api/types/core.v1.gen.ts';

const SAFE = 'bcdfghjklmnpqrstvwxz2456789';

/** A short name for a piece of JSON: FNV-1a in characters that spell no words, as upstream's `SafeEncodeString`. */
export function safeHash(value: unknown, collisionCount = 0): string {
  let hash = 0x811c9dc5;
  const text = canonical(value) + (collisionCount ? `#${collisionCount}` : '');
  for (let i = 0; i < text.length; i++) {
    hash ^= text.charCodeAt(i);
    hash = Math.imul(hash, 0x01000193) >>> 0;
  }
  return [...String(hash)].map((digit) => SAFE[digit.charCodeAt(0) % SAFE.length]).join('');
}

export const TEMPLATE_HASH = 'pod-template-hash';

/** Whether two templates ask for the same pods; the hash label is the controller's own. */
export function sameTemplate(a: PodTemplateSpec | undefined, b: PodTemplateSpec | undefined): boolean {
  return canonical(withoutHash(a)) === canonical(withoutHash(b));
}

function withoutHash(template: PodTemplateSpec | undefined): unknown {
  const labels = template?.metadata?.labels;
  if (!labels || !(TEMPLATE_HASH in labels)) return template;
  const { [TEMPLATE_HASH]: _, ...others } = labels;
  return { ...template, metadata: { ...template.metadata, labels: Object.keys(others).length ? others : undefined } };
}

/** JSON with sorted keys and without what is empty: the same for objects that mean the same. */
export function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined && field !== null)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, field]) => `${JSON.stringify(key)}:${canonical(field)}`);
  return `{${fields.join(',')}}`;
}
