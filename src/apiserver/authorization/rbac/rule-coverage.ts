import type { PolicyRule } from '../../../api/types/rbac.v1.gen.ts';
import { pathMatches } from './rule-matcher.ts';

/** The single rights (one verb on one thing) of `wanted` that `held` does not include. */
export function missingRights(held: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  if (wanted.every((rule) => held.some((own) => covers(own, rule)))) return [];
  return wanted.flatMap(singleRights).filter((right) => !held.some((own) => covers(own, right)));
}

function singleRights(rule: PolicyRule): readonly PolicyRule[] {
  const rights: PolicyRule[] = [];
  for (const group of rule.apiGroups ?? []) {
    for (const resource of rule.resources ?? []) {
      for (const verb of rule.verbs) {
        const right = { verbs: [verb], apiGroups: [group], resources: [resource] };
        if (rule.resourceNames?.length)
          for (const name of rule.resourceNames) rights.push({ ...right, resourceNames: [name] });
        else rights.push(right);
      }
    }
  }
  for (const path of rule.nonResourceURLs ?? [])
    for (const verb of rule.verbs) rights.push({ verbs: [verb], nonResourceURLs: [path] });
  return rights;
}

function covers(own: PolicyRule, wanted: PolicyRule): boolean {
  return (
    includesAll(own.verbs, wanted.verbs) &&
    includesAll(own.apiGroups, wanted.apiGroups) &&
    coversResources(own.resources ?? [], wanted.resources ?? []) &&
    coversNames(own.resourceNames ?? [], wanted.resourceNames ?? []) &&
    (wanted.nonResourceURLs ?? []).every((path) =>
      (own.nonResourceURLs ?? []).some((pattern) => pathMatches(pattern, path)),
    )
  );
}

function includesAll(own: readonly string[] = [], wanted: readonly string[] = []): boolean {
  return own.includes('*') || wanted.every((value) => own.includes(value));
}

function coversResources(own: readonly string[], wanted: readonly string[]): boolean {
  if (own.includes('*')) return true;
  return wanted.every((resource) => {
    const slash = resource.indexOf('/');
    return own.includes(resource) || (slash >= 0 && own.includes(`*${resource.slice(slash)}`));
  });
}

function coversNames(own: readonly string[], wanted: readonly string[]): boolean {
  if (own.length === 0) return true;
  return wanted.length > 0 && wanted.every((name) => own.includes(name));
}

/** Single rights put together again where they differ in their verb alone. */
export function compactRights(rights: readonly PolicyRule[]): readonly PolicyRule[] {
  const merged = new Map<string, PolicyRule & { verbs: string[] }>();
  for (const right of rights) {
    const key = JSON.stringify([right.apiGroups, right.resources, right.resourceNames, right.nonResourceURLs]);
    const known = right.resources ? merged.get(key) : undefined;
    if (known) known.verbs.push(...right.verbs);
    else merged.set(right.resources ? key : `${key}${merged.size}`, { ...right, verbs: [...right.verbs] });
  }
  return [...merged.values()];
}

/** `{APIGroups:[""], Resources:["pods"], Verbs:["get" "list"]}` */
export function describeRule(rule: PolicyRule): string {
  const parts: [string, readonly string[] | undefined][] = [
    ['APIGroups', rule.apiGroups],
    ['Resources', rule.resources],
    ['NonResourceURLs', rule.nonResourceURLs],
    ['ResourceNames', rule.resourceNames],
    ['Verbs', rule.verbs],
  ];
  return `{${parts
    .filter(([, values]) => values?.length)
    .map(([name, values]) => `${name}:${quoteAll(values!)}`)
    .join(', ')}}`;
}

/** A list of strings as Go's `%q` prints it. */
export const quoteAll = (values: readonly string[]) => `[${values.map((value) => JSON.stringify(value)).join(' ')}]`;
