import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable } from '../field-checks.ts';
import type { ResourceQuota, ResourceQuotaSpec, ScopeSelector } from '../types/core.v1.gen.ts';
import {
  isStandardResource,
  roundResourceList,
  validateResourceAmount,
  validateResourceName,
} from './pod-spec/resources.ts';

const spec = FieldPath.of('spec');

const scopes = [
  ...['BestEffort', 'CrossNamespacePodAffinity', 'NotBestEffort', 'NotTerminating', 'PriorityClass', 'Terminating'],
  'VolumeAttributesClass',
];
const operators = ['DoesNotExist', 'Exists', 'In', 'NotIn'];
/** Scopes that select pods by what they are, not by a value. */
const existential = ['BestEffort', 'CrossNamespacePodAffinity', 'NotBestEffort', 'NotTerminating', 'Terminating'];

export const resourceQuota = defineKind<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  default({ spec }) {
    if (spec?.hard) roundResourceList(spec.hard);
  },
  prepareForCreate(quota) {
    quota.status = {};
  },
  validate: ({ spec: quota }) => validateQuota(quota ?? {}),
  validateUpdate: (quota, old) => immutable(spec.child('scopes'), sorted(quota), sorted(old)),
  subresources: {
    status: {
      validateUpdate: ({ status }) =>
        (['hard', 'used'] as const).flatMap((list) => validateAmounts(status?.[list], FieldPath.of('status', list))),
    },
  },
  columns: [
    nameColumn,
    column('Request', (quota) => usage(quota, (name) => !name.startsWith('limits')), {
      description: 'Requests and counts: used and allowed',
    }),
    column('Limit', (quota) => usage(quota, (name) => name.startsWith('limits')), {
      description: 'Limits: used and allowed',
    }),
    ageColumn,
  ],
});

const sorted = (quota: ResourceQuota) => [...(quota.spec?.scopes ?? [])].sort();

/** `cpu: 1/4, memory: 1Gi/8Gi` */
function usage({ status }: ResourceQuota, wanted: (name: string) => boolean): string {
  const hard = status?.hard ?? {};
  return Object.keys(hard)
    .filter(wanted)
    .sort()
    .map((name) => `${name}: ${status?.used?.[name] ?? '0'}/${hard[name]}`)
    .join(', ');
}

function validateAmounts(list: Readonly<Record<string, string>> | undefined, path: FieldPath): FieldError[] {
  return Object.entries(list ?? {}).flatMap(([name, amount]) => [
    ...validateQuotaResourceName(name, path.key(name)),
    ...validateResourceAmount(name, amount, path.key(name)),
  ]);
}

/** `count/deployments.apps` counts objects of any resource. */
function validateQuotaResourceName(name: string, path: FieldPath): FieldError[] {
  const errors = validateResourceName(name, path);
  if (errors.length > 0 || name.includes('/') || isStandardResource(name)) return errors;
  return [invalidValue(path, name, 'must be a standard resource for quota')];
}

function validateQuota(quota: ResourceQuotaSpec): FieldError[] {
  return [
    ...validateAmounts(quota.hard, spec.child('hard')),
    ...validateScopes(quota.scopes, spec.child('scopes')),
    ...validateScopeSelector(quota.scopeSelector, spec.child('scopeSelector', 'matchExpressions')),
  ];
}

function validateScopes(given: readonly string[] | undefined, path: FieldPath): FieldError[] {
  if (!given) return [];
  const errors: FieldError[] = [];
  for (const scope of given) if (!scopes.includes(scope)) errors.push(invalidValue(path, given, 'unsupported scope'));
  const conflicts = [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ] as const;
  for (const [one, other] of conflicts)
    if (given.includes(one) && given.includes(other)) errors.push(invalidValue(path, given, 'conflicting scopes'));
  return errors;
}

function validateScopeSelector(selector: ScopeSelector | undefined, path: FieldPath): FieldError[] {
  return (selector?.matchExpressions ?? []).flatMap(({ scopeName, operator, values = [] }) => {
    const errors: FieldError[] = [];
    if (!scopes.includes(scopeName)) errors.push(invalidValue(path.child('scopeName'), scopeName, 'unsupported scope'));
    if (existential.includes(scopeName) && operator !== 'Exists')
      errors.push(
        invalidValue(
          path.child('operator'),
          operator,
          "must be 'Exist' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      );
    if ((operator === 'In' || operator === 'NotIn') && values.length === 0)
      errors.push(
        required(
          path.child('values'),
          "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
        ),
      );
    if ((operator === 'Exists' || operator === 'DoesNotExist') && values.length > 0)
      errors.push(
        invalidValue(
          path.child('values'),
          values,
          "must be no value when `operator` is 'Exists' or 'DoesNotExist' for scope selector",
        ),
      );
    if (!operators.includes(operator))
      errors.push(invalidValue(path.child('operator'), operator, 'not a valid selector operator'));
    return errors;
  });
}
