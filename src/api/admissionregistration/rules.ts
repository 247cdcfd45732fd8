import {
  duplicate,
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isPathSegmentName } from '../../apimachinery/names.ts';
import { invalidFor, optionalOneOf, repeatedIndexes, requiredOneOf } from '../field-checks.ts';
import type {
  MatchResources,
  NamedRuleWithOperations,
  RuleWithOperations,
} from '../types/admissionregistration.v1.gen.ts';

/** Which requests a webhook or a policy is asked about. */

export const failurePolicies = ['Fail', 'Ignore'];
export const matchPolicies = ['Equivalent', 'Exact'];
export const reinvocationPolicies = ['IfNeeded', 'Never'];
const scopes = ['*', 'Cluster', 'Namespaced'];
const operations = ['*', 'CONNECT', 'CREATE', 'DELETE', 'UPDATE'];
/** A mutating policy has nothing to say of deletions. */
export const mutatingOperations = ['*', 'CONNECT', 'CREATE', 'UPDATE'];

export function defaultRules(rules: Draft<RuleWithOperations>[] | undefined): void {
  for (const rule of rules ?? []) rule.scope ??= '*';
}

export function defaultMatchResources(match: Draft<MatchResources> | undefined): void {
  if (!match) return;
  match.matchPolicy ??= 'Equivalent';
  match.namespaceSelector ??= {};
  match.objectSelector ??= {};
  defaultRules(match.resourceRules);
  defaultRules(match.excludeResourceRules);
}

export function validateMatchResources(path: FieldPath, match: MatchResources): FieldError[] {
  const errors = requiredOneOf(path.child('matchPolicy'), match.matchPolicy, matchPolicies);
  for (const field of ['namespaceSelector', 'objectSelector'] as const)
    errors.push(
      ...(match[field] ? validateLabelSelector(match[field], path.child(field)) : [required(path.child(field))]),
    );
  for (const field of ['resourceRules', 'excludeResourceRules'] as const)
    (match[field] ?? []).forEach((rule, index) => {
      errors.push(...validateNamedRule(path.child(field).index(index), rule));
    });
  return errors;
}

function validateNamedRule(path: FieldPath, rule: NamedRuleWithOperations): FieldError[] {
  const names = rule.resourceNames ?? [];
  const repeated = repeatedIndexes(names);
  return [
    ...names.flatMap((name, index) => {
      const at = path.child('resourceNames').index(index);
      return [...invalidFor(at, name, isPathSegmentName(name)), ...(repeated.has(index) ? [duplicate(at, name)] : [])];
    }),
    ...validateRule(path, rule),
  ];
}

export function validateRule(path: FieldPath, rule: RuleWithOperations): FieldError[] {
  const { operations: given = [], apiGroups = [], apiVersions = [], resources = [], scope } = rule;
  const alone = (field: string, values: readonly string[], what: string) =>
    values.length > 1 && values.includes('*')
      ? [invalidValue(path.child(field), values, `if '*' is present, must not specify other ${what}`)]
      : [];
  const needed = (field: string, values: readonly string[]) =>
    values.length === 0 ? [required(path.child(field))] : [];
  return [
    ...needed('operations', given),
    ...alone('operations', given, 'operations'),
    ...given.flatMap((operation, index) =>
      operations.includes(operation)
        ? []
        : [notSupported(path.child('operations').index(index), operation, operations)],
    ),
    ...needed('apiGroups', apiGroups),
    ...alone('apiGroups', apiGroups, 'API groups'),
    ...needed('apiVersions', apiVersions),
    ...alone('apiVersions', apiVersions, 'API versions'),
    ...apiVersions.flatMap((version, index) =>
      version === '' ? [required(path.child('apiVersions').index(index))] : [],
    ),
    ...validateResources(path.child('resources'), resources),
    ...optionalOneOf(path.child('scope'), scope, scopes),
  ];
}

function validateResources(path: FieldPath, resources: readonly string[]): FieldError[] {
  if (resources.length === 0) return [required(path)];
  const errors: FieldError[] = [];
  const allSubresourcesOf = new Set<string>();
  const allResourcesWith = new Set<string>();
  let plain = false;
  resources.forEach((text, index) => {
    const at = path.index(index);
    if (text === '') {
      errors.push(required(at));
      return;
    }
    const slash = text.indexOf('/');
    if (slash < 0) {
      plain = text !== '*';
      return;
    }
    const resource = text.slice(0, slash);
    const subresource = text.slice(slash + 1);
    if (allSubresourcesOf.has(resource))
      errors.push(invalidValue(at, text, `if '${resource}/*' is present, must not specify ${text}`));
    if (allResourcesWith.has(subresource))
      errors.push(invalidValue(at, text, `if '*/${subresource}' is present, must not specify ${text}`));
    if (subresource === '*') allSubresourcesOf.add(resource);
    if (resource === '*') allResourcesWith.add(subresource);
  });
  if (resources.length > 1 && resources.includes('*/*'))
    errors.push(invalidValue(path, resources, "if '*/*' is present, must not specify other resources"));
  if (resources.includes('*') && plain)
    errors.push(
      invalidValue(path, resources, "if '*' is present, must not specify other resources without subresources"),
    );
  return errors;
}

/** Operations that a mutating policy cannot take part in. */
export function validateMutatingOperations(
  path: FieldPath,
  rules: readonly RuleWithOperations[] | undefined,
): FieldError[] {
  return (rules ?? []).flatMap((rule) =>
    (rule.operations ?? []).flatMap((operation) =>
      mutatingOperations.includes(operation)
        ? []
        : [notSupported(path.child('resourceRules', 'operations'), operation, mutatingOperations)],
    ),
  );
}
