import type { SubjectAccessReviewSpec } from '../../../api/types/authorization.v1.gen.ts';
import { parseFieldSelector } from '../../../apimachinery/fields.ts';
import type { LabelOperator } from '../../../apimachinery/label-requirement.ts';
import { parseRequirements } from '../../../apimachinery/selector-parser.ts';
import type { AuthorizationAttributes } from '../../../sdk/authorization.ts';

type ResourceAttributes = NonNullable<SubjectAccessReviewSpec['resourceAttributes']>;

/** What a webhook is asked. Empty fields are left out, as Go leaves them out. */
export function accessReviewSpec(attributes: AuthorizationAttributes): SubjectAccessReviewSpec {
  const { user, verb, path } = attributes;
  return {
    ...(attributes.resourceRequest
      ? { resourceAttributes: resourceAttributes(attributes) }
      : { nonResourceAttributes: { path, verb } }),
    user: user.name,
    ...(user.groups.length ? { groups: [...user.groups] } : {}),
    ...(user.extra ? { extra: user.extra as NonNullable<SubjectAccessReviewSpec['extra']> } : {}),
    ...(user.uid ? { uid: user.uid } : {}),
  };
}

/** The same as expressions see it: strings are there even when they are empty. */
export function accessReviewVariables(spec: SubjectAccessReviewSpec): object {
  const { resourceAttributes: resource, nonResourceAttributes: other } = spec;
  const empty = { namespace: '', verb: '', group: '', version: '', resource: '', subresource: '', name: '' };
  return {
    user: spec.user ?? '',
    groups: spec.groups ?? [],
    uid: spec.uid ?? '',
    extra: spec.extra ?? {},
    ...(resource ? { resourceAttributes: { ...empty, ...resource } } : {}),
    ...(other ? { nonResourceAttributes: { path: '', verb: '', ...other } } : {}),
  };
}

function resourceAttributes(attributes: AuthorizationAttributes): ResourceAttributes {
  const { namespace, verb, group, version, resource, subresource, name } = attributes;
  const fields = { namespace, verb, group, version, resource, subresource, name };
  const fieldSelector = fieldRequirements(attributes.fieldSelector);
  const labelSelector = labelRequirements(attributes.labelSelector);
  return {
    ...Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')),
    ...(fieldSelector.length ? { fieldSelector: { requirements: fieldSelector } } : {}),
    ...(labelSelector.length ? { labelSelector: { requirements: labelSelector } } : {}),
  };
}

/** A selector that can't be read asks for more than it says: none is passed on. */
function fieldRequirements(text: string | undefined) {
  if (!text) return [];
  try {
    return parseFieldSelector(text).requirements.map(({ field, operator, value }) => ({
      key: field,
      operator: operator === '=' ? 'In' : 'NotIn',
      values: [value],
    }));
  } catch {
    return [];
  }
}

const OPERATORS: Readonly<Record<LabelOperator, string | undefined>> = {
  in: 'In',
  '=': 'In',
  '==': 'In',
  notin: 'NotIn',
  '!=': 'NotIn',
  exists: 'Exists',
  '!': 'DoesNotExist',
  gt: undefined,
  lt: undefined,
};

function labelRequirements(text: string | undefined) {
  if (!text) return [];
  try {
    return parseRequirements(text).flatMap(({ key, operator, values }) => {
      const named = OPERATORS[operator];
      return named ? [{ key, operator: named, ...(values.length ? { values: [...values] } : {}) }] : [];
    });
  } catch {
    return [];
  }
}
