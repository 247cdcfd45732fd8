import type { KindDefinition, KindRegistry } from '../../../api/kind.ts';
import type { NamedRuleWithOperations } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { GroupVersionKind, GroupVersionResource } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import { equivalentKinds } from './equivalents.ts';
import { ruleMatches } from './rules.ts';

/** In which form a request meets the rules of a webhook or policy. */
export interface RequestMatch {
  readonly kind: GroupVersionKind;
  readonly resource: GroupVersionResource;
  /** Set when the object must be converted to it first. */
  readonly definition?: KindDefinition;
}

export interface MatchRules {
  readonly rules: readonly NamedRuleWithOperations[];
  readonly matchPolicy: string | undefined;
}

/** `undefined`: no rule is about the request. */
export function matchRequest(
  kinds: KindRegistry,
  attributes: AdmissionAttributes,
  { rules, matchPolicy }: MatchRules,
): RequestMatch | undefined {
  const { resource, kind, subresource } = attributes;
  if (rules.some((rule) => ruleMatches(rule, attributes, resource))) return { kind, resource };
  if (matchPolicy !== 'Equivalent') return undefined;
  const own = kinds.byResource(resource.group, resource.version, resource.resource);
  for (const other of own ? equivalentKinds(kinds, own) : []) {
    const { group, version, resource: plural } = other;
    if (!rules.some((rule) => ruleMatches(rule, attributes, other))) continue;
    const same = { group, version, resource: plural };
    // What a subresource takes is of one kind, whatever the version of the resource.
    if (kind.group !== own?.group || kind.kind !== own.kind) return { kind, resource: same };
    return {
      kind: { group, version, kind: other.kind },
      resource: same,
      ...(subresource === '' || subresource === 'status' ? { definition: other } : {}),
    };
  }
  return undefined;
}
