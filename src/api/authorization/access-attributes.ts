import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import type { ObjectMeta } from '../../apimachinery/meta.ts';
import type { NonResourceAttributes, ResourceAttributes } from '../types/authorization.v1.gen.ts';

const spec = FieldPath.of('spec');

interface Attributes {
  readonly resourceAttributes?: ResourceAttributes;
  readonly nonResourceAttributes?: NonResourceAttributes;
}

/** A review asks about a resource or about a path, never both. */
export function validateAttributes({ resourceAttributes, nonResourceAttributes }: Attributes): FieldError[] {
  const errors: FieldError[] = [];
  if (resourceAttributes && nonResourceAttributes)
    errors.push(
      invalidValue(
        spec.child('nonResourceAttributes'),
        nonResourceAttributes,
        'cannot be specified in combination with resourceAttributes',
      ),
    );
  if (!resourceAttributes && !nonResourceAttributes)
    errors.push(
      invalidValue(
        spec.child('resourceAttributes'),
        undefined,
        'exactly one of nonResourceAttributes or resourceAttributes must be specified',
      ),
    );
  for (const field of ['fieldSelector', 'labelSelector'] as const) {
    const selector = resourceAttributes?.[field];
    if (!selector) continue;
    const path = spec.child('resourceAttributes', field);
    const listed = (selector.requirements?.length ?? 0) > 0;
    if (selector.rawSelector && listed)
      errors.push(
        invalidValue(
          path.child('rawSelector'),
          selector.rawSelector,
          'may not specified at the same time as requirements',
        ),
      );
    if (!selector.rawSelector && !listed)
      errors.push(
        required(path.child('requirements'), `when ${path} is specified, requirements or rawSelector is required`),
      );
    for (const [index, requirement] of (selector.requirements ?? []).entries())
      errors.push(...validateRequirement(requirement, path.child('requirements').index(index)));
  }
  return errors;
}

/** Operators that are not known may be those of a later version. */
function validateRequirement(
  {
    key,
    operator,
    values = [],
  }: { readonly key: string; readonly operator: string; readonly values?: readonly string[] },
  path: FieldPath,
): FieldError[] {
  const errors: FieldError[] = [];
  if (!key) errors.push(required(path.child('key'), 'must be specified'));
  if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
    errors.push(required(path.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
  if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
    errors.push(
      forbiddenField(path.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
    );
  return errors;
}

export function validateSubject({
  user,
  groups,
}: {
  readonly user?: string;
  readonly groups?: readonly string[];
}): FieldError[] {
  return user || groups?.length
    ? []
    : [invalidValue(spec.child('user'), user ?? '', 'at least one of user or group must be specified')];
}

/** A review is no object: what a user puts into its metadata would be lost. */
export function validateNoMetadata(metadata: ObjectMeta, allowNamespace = false): FieldError[] {
  const { name, generateName, namespace, labels, annotations, finalizers, ownerReferences } = metadata ?? {};
  const given = [name, generateName, labels, annotations, finalizers, ownerReferences, allowNamespace ? '' : namespace];
  if (given.every((value) => !value)) return [];
  const detail = allowNamespace ? 'must be empty except for namespace' : 'must be empty';
  return [invalidValue(FieldPath.of('metadata'), metadata, detail)];
}
