import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
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
  validate: (object) => validateSpec(object.spec ?? {}),
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

function validateSpec(budget: PodDisruptionBudgetSpec): FieldError[] {
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
    ...validateLabelSelector(selector, spec.child('selector')),
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
