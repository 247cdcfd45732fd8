import { type FieldError, type FieldPath, forbiddenField, invalidValue, required } from './field.ts';
import {
  type LabelOperator,
  type LabelRequirement,
  type Labels,
  labelRequirement,
  satisfies,
  showRequirement,
} from './label-requirement.ts';
import type { LabelSelector } from './meta.ts';
import { isLabelValue, isQualifiedName } from './names.ts';
import { parseRequirements } from './selector-parser.ts';
import { badRequest } from './status-error.ts';

export type { LabelRequirement } from './label-requirement.ts';

export interface LabelSelectorMatcher {
  readonly requirements: readonly LabelRequirement[];
  /** It selects everything. */
  readonly empty: boolean;
  matches(labels: Labels): boolean;
  /** The form that `parseLabelSelector` reads. */
  toString(): string;
}

/** Reads the `labelSelector` parameter: `app=web,tier in (a,b),!legacy`. Throws StatusError 400. */
export function parseLabelSelector(text: string): LabelSelectorMatcher {
  return matcher(parseRequirements(text));
}

/** A selector as objects carry it. `undefined` matches nothing, `{}` everything. Throws StatusError 400 on an unknown operator. */
export function labelSelectorMatcher(selector: LabelSelector | undefined): LabelSelectorMatcher {
  if (!selector) return nothing;
  const requirements: LabelRequirement[] = Object.entries(selector.matchLabels ?? {}).map(([key, value]) =>
    labelRequirement(key, '=', [value]),
  );
  for (const { key, operator, values } of selector.matchExpressions ?? []) {
    const known = expressionOperators.get(operator);
    if (!known) throw badRequest(`${JSON.stringify(operator)} is not a valid label selector operator`);
    requirements.push(labelRequirement(key, known, values ?? []));
  }
  return matcher(requirements);
}

/** Of exact labels, as ReplicationControllers and Services select: no labels match nothing is the caller's matter. */
export function labelsToSelector(labels: Labels): string {
  return Object.entries(labels ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`)
    .join(',');
}

const expressionOperators: ReadonlyMap<string, LabelOperator> = new Map([
  ['In', 'in'],
  ['NotIn', 'notin'],
  ['Exists', 'exists'],
  ['DoesNotExist', '!'],
]);

const nothing: LabelSelectorMatcher = { requirements: [], empty: false, matches: () => false, toString: () => '' };

function matcher(unsorted: readonly LabelRequirement[]): LabelSelectorMatcher {
  const requirements = [...unsorted].sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  return {
    requirements,
    empty: requirements.length === 0,
    matches: (labels) => {
      for (const requirement of requirements) if (!satisfies(requirement, labels)) return false;
      return true;
    },
    toString: () => requirements.map(showRequirement).join(','),
  };
}

export function validateLabels(labels: Labels, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const [key, value] of Object.entries(labels ?? {})) {
    errors.push(...validateLabelName(key, path));
    for (const message of isLabelValue(value)) errors.push(invalidValue(path, value, message));
  }
  return errors;
}

export function validateLabelName(name: string, path: FieldPath): FieldError[] {
  return isQualifiedName(name).map((message) => invalidValue(path, name, message));
}

export const hasInvalidLabelValue = (selector: LabelSelector | undefined): boolean =>
  (selector?.matchExpressions ?? []).some(({ values }) => values?.some((value) => isLabelValue(value).length > 0));

/** `anyValue`: its expressions may name values that no label can have, as objects older than the rule do. */
export function validateLabelSelector(
  selector: LabelSelector | undefined,
  path: FieldPath,
  anyValue = false,
): FieldError[] {
  if (!selector) return [];
  const errors = validateLabels(selector.matchLabels, path.child('matchLabels'));
  (selector.matchExpressions ?? []).forEach(({ key, operator, values = [] }, index) => {
    const at = path.child('matchExpressions').index(index);
    if (operator === 'In' || operator === 'NotIn') {
      if (values.length === 0)
        errors.push(required(at.child('values'), "must be specified when `operator` is 'In' or 'NotIn'"));
    } else if (operator === 'Exists' || operator === 'DoesNotExist') {
      if (values.length > 0)
        errors.push(
          forbiddenField(at.child('values'), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"),
        );
    } else errors.push(invalidValue(at.child('operator'), operator, 'not a valid selector operator'));
    errors.push(...validateLabelName(key, at.child('key')));
    if (anyValue) return;
    values.forEach((value, i) => {
      for (const message of isLabelValue(value)) errors.push(invalidValue(at.child('values').index(i), value, message));
    });
  });
  return errors;
}
