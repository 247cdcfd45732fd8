import type { KindDefinition } from '../../api/kind.ts';
import { type FieldError, FieldPath, invalidValue, notSupported } from '../../apimachinery/field.ts';
import type { DeleteOptions, UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest, conflict, invalid } from '../../apimachinery/status-error.ts';
import { wholeNumber } from '../request/query-numbers.ts';
import type { RequestContext } from '../request/request-context.ts';
import { isTrue } from '../request/request-info.ts';
import { dryRunErrors } from '../request/write-options.ts';
import { decodeBody } from './read-object.ts';

const POLICIES = ['Background', 'Foreground', 'Orphan'];

/** From the body, or the query when there is none. Throws StatusError 422 for options that contradict each other. */
export async function readDeleteOptions(context: RequestContext): Promise<DeleteOptions> {
  const body = await context.readBody();
  const empty = 'bytes' in body ? body.bytes.length === 0 : body.object === undefined || body.object === null;
  const options = empty ? fromQuery(context.query) : fromBody(decodeBody(body, false).value);
  const errors: FieldError[] = dryRunErrors(options.dryRun ?? []);
  const { propagationPolicy, orphanDependents } = options;
  if (propagationPolicy !== undefined && orphanDependents !== undefined)
    errors.push(
      invalidValue(
        FieldPath.of('propagationPolicy'),
        propagationPolicy,
        'orphanDependents and deletionPropagation cannot be both set',
      ),
    );
  if (propagationPolicy !== undefined && !POLICIES.includes(propagationPolicy))
    errors.push(notSupported(FieldPath.of('propagationPolicy'), propagationPolicy, [...POLICIES, 'nil']));
  if (errors.length) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors);
  return options;
}

function fromQuery(query: URLSearchParams): DeleteOptions {
  const grace = query.has('gracePeriodSeconds') ? wholeNumber(query, 'gracePeriodSeconds') : undefined;
  const policy = query.get('propagationPolicy');
  const orphan = query.get('orphanDependents');
  const dryRun = query.getAll('dryRun').filter((value) => value !== '');
  const [uid, resourceVersion] = [query.get('uid'), query.get('resourceVersion')];
  const preconditions = { ...(uid ? { uid } : {}), ...(resourceVersion ? { resourceVersion } : {}) };
  return {
    ...(grace === undefined ? {} : { gracePeriodSeconds: grace }),
    ...(policy ? { propagationPolicy: policy } : {}),
    ...(orphan === null ? {} : { orphanDependents: isTrue(orphan) }),
    ...(dryRun.length ? { dryRun } : {}),
    ...(uid || resourceVersion ? { preconditions } : {}),
  };
}

function fromBody(value: unknown): DeleteOptions {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw badRequest('the body of a deletion must be DeleteOptions');
  const options = value as Record<string, unknown>;
  const { kind, gracePeriodSeconds, dryRun, preconditions } = options;
  if (kind !== undefined && kind !== '' && kind !== 'DeleteOptions')
    throw badRequest(`the body of a deletion must be DeleteOptions, not ${JSON.stringify(kind)}`);
  if (gracePeriodSeconds !== undefined && gracePeriodSeconds !== null && !Number.isInteger(gracePeriodSeconds))
    throw badRequest('DeleteOptions: gracePeriodSeconds must be an integer');
  if (dryRun !== undefined && dryRun !== null && !Array.isArray(dryRun))
    throw badRequest('DeleteOptions: dryRun must be a list');
  if (preconditions !== undefined && preconditions !== null && typeof preconditions !== 'object')
    throw badRequest('DeleteOptions: preconditions must be an object');
  return Object.fromEntries(Object.entries(options).filter(([, field]) => field !== null)) as DeleteOptions;
}

/** Throws the 409 of an object that is not the one the client means. */
export function checkPreconditions(
  definition: KindDefinition,
  object: UnstructuredObject,
  preconditions: DeleteOptions['preconditions'],
): void {
  const { uid, resourceVersion } = preconditions ?? {};
  const { metadata } = object;
  const fail = (what: string, wanted: string, found: string | undefined, why: string) =>
    conflict(
      { group: definition.group, resource: definition.kind },
      metadata.name,
      `the ${what} in the precondition (${wanted}) does not match the ${what} in record (${found}). The object might have been ${why}`,
    );
  if (uid && uid !== metadata.uid) throw fail('UID', uid, metadata.uid, 'deleted and then recreated');
  if (resourceVersion && resourceVersion !== metadata.resourceVersion)
    throw fail('ResourceVersion', resourceVersion, metadata.resourceVersion, 'modified');
}
