import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutableMessage } from '../field-checks.ts';
import type { ResourceQuota, ResourceQuotaSpec } from '../types/core.v1.gen.ts';
import { internalForm } from './internal-form.ts';
import {
  isStandardQuotaResource,
  roundResourceList,
  validateResourceAmount,
  validateResourceName,
} from './pod-spec/resources.ts';

const spec = FieldPath.of('spec');

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
  validateUpdate: (quota, old) =>
    sameScopes(quota, old) ? [] : [invalidValue(spec.child('scopes'), quota.spec?.scopes, immutableMessage)],
  subresources: {
    status: {
      validateUpdate: ({ status }) =>
        (['hard', 'used'] as const).flatMap((list) => validateAmounts(status?.[list], FieldPath.of('status', list))),
    },
  },
  columns: [
    nameColumn,
    column('Request', (quota) => usage(quota, (name) => !name.startsWith('limits.')), {
      description: 'Requests and counts: used and allowed',
    }),
    column('Limit', (quota) => usage(quota, (name) => name.startsWith('limits.')), {
      description: 'Limits: used and allowed',
    }),
    ageColumn,
  ],
});

function sameScopes(quota: ResourceQuota, old: ResourceQuota): boolean {
  const now = new Set(quota.spec?.scopes);
  const before = new Set(old.spec?.scopes);
  return now.size === before.size && [...now].every((scope) => before.has(scope));
}

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
  if (name.includes('/') || isStandardQuotaResource(name)) return errors;
  return [...errors, invalidValue(path, name, 'must be a standard resource for quota')];
}

function validateQuota(quota: ResourceQuotaSpec): FieldError[] {
  return [
    ...validateAmounts(quota.hard, spec.child('hard')),
    ...validateScopes(quota, spec.child('scopes')),
    ...validateScopeSelector(quota, spec.child('scopeSelector', 'matchExpressions')),
  ];
}

/** How many of the quota's amounts the scope says nothing of. */
function countUnscoped(scope: string, { hard }: ResourceQuotaSpec): number {
  const known = scoped[scope];
  return Object.keys(hard ?? {}).filter((name) => isStandardQuotaResource(name) && known && !known.has(name)).length;
}

const perPod = new Set([
  ...['pods', 'cpu', 'memory', 'limits.cpu', 'limits.memory', 'requests.cpu', 'requests.memory'],
]);
const scoped: Readonly<Record<string, ReadonlySet<string>>> = {
  Terminating: perPod,
  NotTerminating: perPod,
  NotBestEffort: perPod,
  PriorityClass: perPod,
  CrossNamespacePodAffinity: perPod,
  BestEffort: new Set(['pods']),
  VolumeAttributesClass: new Set(['persistentvolumeclaims', 'requests.storage']),
};

function validateScopes(quota: ResourceQuotaSpec, path: FieldPath): FieldError[] {
  const { scopes: given = [] } = quota;
  const errors: FieldError[] = [];
  const refuse = (detail: string) => errors.push(invalidValue(path, given, detail));
  for (const scope of given) {
    if (!Object.hasOwn(scoped, scope)) refuse('unsupported scope');
    for (let left = countUnscoped(scope, quota); left > 0; left--) refuse('unsupported scope applied to resource');
  }
  for (let left = countConflicts(given); left > 0; left--) refuse('conflicting scopes');
  return errors;
}

function countConflicts(given: readonly string[]): number {
  const conflicts = [
    ['BestEffort', 'NotBestEffort'],
    ['Terminating', 'NotTerminating'],
  ];
  return conflicts.filter((pair) => pair.every((scope) => given.includes(scope))).length;
}

function validateScopeSelector(quota: ResourceQuotaSpec, path: FieldPath): FieldError[] {
  const expressions = quota.scopeSelector?.matchExpressions ?? [];
  const errors: FieldError[] = [];
  for (const { scopeName, operator, values } of expressions) {
    if (!Object.hasOwn(scoped, scopeName))
      errors.push(invalidValue(path.child('scopeName'), scopeName, 'unsupported scope'));
    for (let left = countUnscoped(scopeName, quota); left > 0; left--)
      errors.push(
        invalidValue(path, internalForm('ScopeSelector', quota.scopeSelector), 'unsupported scope applied to resource'),
      );
    if (existential.includes(scopeName) && operator !== 'Exists')
      errors.push(
        invalidValue(
          path.child('operator'),
          operator,
          "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or ResourceQuotaScopeCrossNamespacePodAffinity",
        ),
      );
    errors.push(...validateScopeValues(operator, values ?? [], path));
  }
  for (let left = countConflicts(expressions.map(({ scopeName }) => scopeName)); left > 0; left--)
    errors.push(invalidValue(path, quota.scopes, 'conflicting scopes'));
  return errors;
}

function validateScopeValues(operator: string, values: readonly string[], path: FieldPath): FieldError[] {
  const at = path.child('values');
  switch (operator) {
    case 'In':
    case 'NotIn':
      return values.length > 0
        ? []
        : [required(at, "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector")];
    case 'Exists':
    case 'DoesNotExist':
      return values.length === 0
        ? []
        : [
            invalidValue(
              at,
              values,
              "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            ),
          ];
    default:
      return [invalidValue(path.child('operator'), operator, 'not a valid selector operator')];
  }
}
