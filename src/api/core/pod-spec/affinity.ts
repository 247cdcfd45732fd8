import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabelName, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue } from '../../../apimachinery/names.ts';
import type {
  Affinity,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
} from '../../types/core.v1.gen.ts';
import type { PodAllowances } from './allowances.ts';
import { validateLabelKeys } from './label-keys.ts';

export function validateAffinity(
  affinity: Affinity | undefined,
  path: FieldPath,
  { anyNodeAffinityValue, anySelectorValue }: PodAllowances,
): FieldError[] {
  if (!affinity) return [];
  const errors: FieldError[] = [];
  const { nodeAffinity } = affinity;
  if (nodeAffinity) {
    const at = path.child('nodeAffinity');
    const needed = nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
    if (needed)
      errors.push(
        ...validateNodeSelector(
          needed,
          at.child('requiredDuringSchedulingIgnoredDuringExecution'),
          anyNodeAffinityValue,
        ),
      );
    (nodeAffinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).forEach((term, index) => {
      const termPath = at.child('preferredDuringSchedulingIgnoredDuringExecution').index(index);
      errors.push(...validateWeight(term.weight, termPath.child('weight')));
      // A preference may be for a value that no label can have.
      errors.push(...validateNodeSelectorTerm(term.preference ?? {}, termPath.child('preference'), true));
    });
  }
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const between = affinity[kind];
    if (between) errors.push(...validatePodAffinity(between, path.child(kind), anySelectorValue));
  }
  return errors;
}

const validateWeight = (weight: number, path: FieldPath) =>
  weight < 1 || weight > 100 ? [invalidValue(path, weight, 'must be in the range 1-100')] : [];

export function validateNodeSelector(selector: NodeSelector, path: FieldPath, anyValue = false): FieldError[] {
  const at = path.child('nodeSelectorTerms');
  const terms = selector.nodeSelectorTerms ?? [];
  if (terms.length === 0) return [required(at, 'must have at least one node selector term')];
  return terms.flatMap((term, index) => validateNodeSelectorTerm(term, at.index(index), anyValue));
}

/** A value that no label can have. */
export const hasInvalidNodeValue = (selector: NodeSelector | undefined): boolean =>
  (selector?.nodeSelectorTerms ?? []).some(({ matchExpressions }) =>
    matchExpressions?.some(({ values }) => values?.some((value) => isLabelValue(value).length > 0)),
  );

function validateNodeSelectorTerm(term: NodeSelectorTerm, path: FieldPath, anyValue: boolean): FieldError[] {
  return [
    ...(term.matchExpressions ?? []).flatMap((requirement, index) =>
      validateNodeLabelRequirement(requirement, path.child('matchExpressions').index(index), anyValue),
    ),
    ...(term.matchFields ?? []).flatMap((requirement, index) =>
      validateNodeFieldRequirement(requirement, path.child('matchFields').index(index)),
    ),
  ];
}

function validateNodeLabelRequirement(
  requirement: NodeSelectorRequirement,
  path: FieldPath,
  anyValue: boolean,
): FieldError[] {
  const { key, operator, values = [] } = requirement;
  const errors: FieldError[] = [];
  const at = path.child('values');
  switch (operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.push(required(at, "must be specified when `operator` is 'In' or 'NotIn'"));
      break;
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0)
        errors.push(forbiddenField(at, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"));
      break;
    case 'Gt':
    case 'Lt':
      if (values.length !== 1)
        errors.push(required(at, "must be specified single value when `operator` is 'Lt' or 'Gt'"));
      break;
    default:
      errors.push(invalidValue(path.child('operator'), operator ?? '', 'not a valid selector operator'));
  }
  errors.push(...validateLabelName(key ?? '', path.child('key')));
  if (!anyValue)
    values.forEach((value, index) => {
      for (const message of isLabelValue(value)) errors.push(invalidValue(at.index(index), value, message));
    });
  return errors;
}

function validateNodeFieldRequirement(requirement: NodeSelectorRequirement, path: FieldPath): FieldError[] {
  const { key, operator, values = [] } = requirement;
  const errors: FieldError[] = [];
  if (operator !== 'In' && operator !== 'NotIn')
    errors.push(invalidValue(path.child('operator'), operator ?? '', 'not a valid selector operator'));
  else if (values.length !== 1)
    errors.push(
      required(
        path.child('values'),
        "must be only one value when `operator` is 'In' or 'NotIn' for node field selector",
      ),
    );
  if (key !== 'metadata.name')
    return [...errors, invalidValue(path.child('key'), key ?? '', 'not a valid field selector key')];
  values.forEach((value, index) => {
    for (const message of isDns1123Subdomain(value))
      errors.push(invalidValue(path.child('values').index(index), value, message));
  });
  return errors;
}

function validatePodAffinity(affinity: PodAffinity, path: FieldPath, anyValue: boolean): FieldError[] {
  return [
    ...(affinity.requiredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((term, index) =>
      validatePodAffinityTerm(
        term,
        path.child('requiredDuringSchedulingIgnoredDuringExecution').index(index),
        anyValue,
      ),
    ),
    ...(affinity.preferredDuringSchedulingIgnoredDuringExecution ?? []).flatMap((term, index) => {
      const at = path.child('preferredDuringSchedulingIgnoredDuringExecution').index(index);
      return [
        ...validateWeight(term.weight, at.child('weight')),
        ...validatePodAffinityTerm(term.podAffinityTerm ?? {}, at.child('podAffinityTerm'), anyValue),
      ];
    }),
  ];
}

function validatePodAffinityTerm(term: Partial<PodAffinityTerm>, path: FieldPath, anyValue: boolean): FieldError[] {
  const errors = [
    ...validateLabelSelector(term.labelSelector, path.child('labelSelector'), anyValue),
    ...validateLabelSelector(term.namespaceSelector, path.child('namespaceSelector'), anyValue),
  ];
  for (const namespace of term.namespaces ?? [])
    for (const message of isDns1123Label(namespace))
      errors.push(invalidValue(path.child('namespace'), namespace, message));
  errors.push(...validateLabelKeys(term, path));
  if (!term.topologyKey) errors.push(required(path.child('topologyKey'), 'can not be empty'));
  return [...errors, ...validateLabelName(term.topologyKey ?? '', path.child('topologyKey'))];
}
