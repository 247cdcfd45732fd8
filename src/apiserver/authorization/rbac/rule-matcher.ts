import type { PolicyRule } from '../../../api/types/rbac.v1.gen.ts';
import type { AuthorizationAttributes } from '../../../sdk/authorization.ts';

/** A PolicyRule made ready for matching; `undefined` sets match everything. */
export interface RuleMatcher {
  readonly verbs: ReadonlySet<string> | undefined;
  readonly groups: ReadonlySet<string> | undefined;
  readonly resources: ReadonlySet<string> | undefined;
  /** Absent: all names. */
  readonly names: ReadonlySet<string> | undefined;
  readonly paths: readonly string[];
}

export function compileRules(rules: readonly PolicyRule[] | undefined): readonly RuleMatcher[] {
  return (rules ?? []).map((rule) => ({
    verbs: setOf(rule.verbs),
    groups: setOf(rule.apiGroups),
    resources: setOf(rule.resources),
    names: rule.resourceNames?.length ? new Set(rule.resourceNames) : undefined,
    paths: rule.nonResourceURLs ?? [],
  }));
}

function setOf(values: readonly string[] | undefined): ReadonlySet<string> | undefined {
  return values?.includes('*') ? undefined : new Set(values ?? []);
}

/** `combined` is `resource/subresource`, or the resource alone. */
export function ruleAllows(rule: RuleMatcher, attributes: AuthorizationAttributes, combined: string): boolean {
  if (rule.verbs && !rule.verbs.has(attributes.verb)) return false;
  if (!attributes.resourceRequest) return rule.paths.some((pattern) => pathMatches(pattern, attributes.path));
  if (rule.groups && !rule.groups.has(attributes.group)) return false;
  if (
    rule.resources &&
    !rule.resources.has(combined) &&
    !(attributes.subresource && rule.resources.has(`*/${attributes.subresource}`))
  )
    return false;
  return rule.names === undefined || rule.names.has(attributes.name);
}

export function pathMatches(pattern: string, path: string): boolean {
  return pattern === '*' || pattern === path || (pattern.endsWith('*') && path.startsWith(pattern.replace(/\*+$/, '')));
}
