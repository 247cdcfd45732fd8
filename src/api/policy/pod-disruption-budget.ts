import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { hasInvalidLabelValue, validateLabelSelector } from '../../apimachinery/labels.ts';
import type { LabelSelector } from '../../apimachinery/meta.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { validateConditions } from '../conditions.ts';
import { defineKind } from '../define.ts';
import { nonNegative, optionalOneOf } from '../field-checks.ts';
import { validateAtMost100Percent, validateIntOrPercent } from '../int-or-percent.ts';
import type {
  PodDisruptionBudget,
  PodDisruptionBudgetSpec,
  PodDisruptionBudgetStatus,
} from '../types/policy.v1.gen.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');

export const podDisruptionBudget = defineKind<PodDisruptionBudget>({
  group: 'policy',
  version: 'v1',
  kind: 'PodDisruptionBudget',
  nameFormat: 'path',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => keepEmptySelectorMark(spec?.selector),
  validate: (object, old) => validateSpec(object.spec ?? {}, hasInvalidLabelValue(old?.spec?.selector)),
  subresources: { status: { validateUpdate: (object) => validateStatus(object.status ?? {}) } },
  columns: [
    nameColumn,
    column('Min Available', ({ spec }) => String(spec?.minAvailable ?? 'N/A'), {
      description: 'Pods that must stay available',
    }),
    column('Max Unavailable', ({ spec }) => String(spec?.maxUnavailable ?? 'N/A'), {
      description: 'Pods that may be unavailable',
    }),
    column('Allowed Disruptions', ({ status }) => status?.disruptionsAllowed ?? 0, {
      type: 'integer',
      description: 'Pods that may be evicted now',
    }),
    ageColumn,
  ],
});

/** What the versions before v1 marked empty selectors with: nothing else may be combined with it. */
const emptySelectorMark = 'pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match';

function keepEmptySelectorMark(selector: Draft<LabelSelector> | undefined): void {
  const expressions = selector?.matchExpressions ?? [];
  if (!selector || !expressions.some(({ key }) => key === emptySelectorMark)) return;
  const { operator, values = [] } = expressions[0] ?? {};
  const matchesNone = expressions.length === 1 && operator === 'Exists' && values.length === 0;
  if (matchesNone && Object.keys(selector.matchLabels ?? {}).length === 0) return;
  const rest = expressions.filter(({ key }) => key !== emptySelectorMark);
  if (rest.length > 0) selector.matchExpressions = rest;
  else delete selector.matchExpressions;
}

function validateSpec(budget: PodDisruptionBudgetSpec, anyValue: boolean): FieldError[] {
  const { minAvailable, maxUnavailable, selector, unhealthyPodEvictionPolicy } = budget;
  const errors =
    minAvailable !== undefined && maxUnavailable !== undefined
      ? [
          invalidValue(
            spec,
            {
              MinAvailable: minAvailable,
              Selector: selector ?? null,
              MaxUnavailable: maxUnavailable,
              UnhealthyPodEvictionPolicy: unhealthyPodEvictionPolicy ?? null,
            },
            'minAvailable and maxUnavailable cannot be both set',
          ),
        ]
      : [];
  for (const [field, value] of Object.entries({ minAvailable, maxUnavailable }))
    errors.push(
      ...validateIntOrPercent(spec.child(field), value),
      ...validateAtMost100Percent(spec.child(field), value),
    );
  return [
    ...errors,
    ...validateLabelSelector(selector, spec.child('selector'), anyValue),
    ...optionalOneOf(spec.child('unhealthyPodEvictionPolicy'), unhealthyPodEvictionPolicy, [
      'AlwaysAllow',
      'IfHealthyBudget',
    ]),
  ];
}

function validateStatus(budget: PodDisruptionBudgetStatus): FieldError[] {
  return [
    ...validateConditions(status.child('conditions'), budget.conditions),
    ...(['disruptionsAllowed', 'currentHealthy', 'desiredHealthy', 'expectedPods'] as const).flatMap((field) =>
      nonNegative(status.child(field), budget[field]),
    ),
  ];
}
