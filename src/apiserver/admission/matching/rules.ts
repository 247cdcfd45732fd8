import type { NamedRuleWithOperations } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';

/** A resource (of some version) as rules see it. */
export interface MatchedResource {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}

/** Whether a rule is about `resource`, which is the request's or an equivalent of it. */
export function ruleMatches(
  rule: NamedRuleWithOperations,
  attributes: AdmissionAttributes,
  { group, version, resource }: MatchedResource,
): boolean {
  return (
    has(rule.operations, attributes.operation) &&
    has(rule.apiGroups, group) &&
    has(rule.apiVersions, version) &&
    inScope(rule.scope, attributes) &&
    resourceMatches(rule.resources, resource, attributes.subresource) &&
    (!rule.resourceNames?.length || rule.resourceNames.includes(attributes.name))
  );
}

function has(values: readonly string[] | undefined, wanted: string): boolean {
  return values?.some((value) => value === '*' || value === wanted) ?? false;
}

function inScope(scope: string | undefined, { resource, namespace }: AdmissionAttributes): boolean {
  const namespaced = namespace !== '' && !(resource.resource === 'namespaces' && resource.group === '');
  return !scope || scope === '*' || (scope === 'Namespaced') === namespaced;
}

function resourceMatches(patterns: readonly string[] | undefined, resource: string, subresource: string): boolean {
  return (
    patterns?.some((pattern) => {
      const slash = pattern.indexOf('/');
      const [main, sub] = slash < 0 ? [pattern, ''] : [pattern.slice(0, slash), pattern.slice(slash + 1)];
      return (main === '*' || main === resource) && (sub === '*' || sub === subresource);
    }) ?? false
  );
}

/** What says which requests there are: these cannot be locked by what they say. */
export function isAdmissionConfiguration({ resource }: AdmissionAttributes): boolean {
  return resource.group === 'admissionregistration.k8s.io' && configurations.has(resource.resource);
}

const configurations = new Set([
  'mutatingwebhookconfigurations',
  'validatingwebhookconfigurations',
  'validatingadmissionpolicies',
  'validatingadmissionpolicybindings',
  'mutatingadmissionpolicies',
  'mutatingadmissionpolicybindings',
]);
