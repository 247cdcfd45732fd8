import { StatusError } from '../../apimachinery/status-error.ts';
import type { Result } from '../request/result.ts';
import type { Negotiated } from './negotiation.ts';

/** A list has no metadata of an object, and an object is no list. Throws StatusError 406. */
export function checkShape(result: Result, { shape }: Negotiated): void {
  if (result.type !== 'list' && result.type !== 'entry') return;
  const isList = result.type === 'list';
  if (shape !== (isList ? 'partial' : 'partialList')) return;
  const { definition } = result;
  const kind = isList ? definition.listKind : definition.kind;
  const type = definition.decoding
    ? `unstructured.Unstructured${isList ? 'List' : ''}`
    : `${definition.group.split('.', 1)[0] || 'core'}.${kind}`;
  const [asked, found] = isList ? ['', 'a list'] : ['List', 'not a list'];
  throw new StatusError({
    code: 406,
    reason: 'NotAcceptable',
    message: `you requested PartialObjectMetadata${asked}, but the requested object is ${found} (*${type})`,
  });
}
