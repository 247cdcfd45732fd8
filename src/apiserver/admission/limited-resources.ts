import { metScopes } from '../../api/quota/scopes.ts';
import type { Usage } from '../../api/quota/usage.ts';
import type { ScopedResourceSelectorRequirement } from '../../api/types/core.v1.gen.ts';
import type { GroupResource } from '../../apimachinery/meta.ts';

type Requirement = ScopedResourceSelectorRequirement;

/** What nobody may use unless a quota covers it: amounts whose name contains a text, and pods of scopes. */
export interface LimitedResource extends GroupResource {
  readonly matchContains: readonly string[];
  readonly matchScopes: readonly Requirement[];
}

/** The names of what an object uses and a quota has to cover. */
export function limitedNames(
  limited: readonly LimitedResource[],
  { group, resource }: GroupResource,
  usage: Usage,
): readonly string[] {
  const texts = limited
    .filter((limit) => limit.group === group && limit.resource === resource)
    .flatMap(({ matchContains }) => matchContains);
  if (texts.length === 0) return [];
  return [...usage]
    .filter(([name, amount]) => amount.sign() > 0 && texts.some((text) => name.includes(text)))
    .map(([name]) => name);
}

/** The limited scopes that an object is in, less those that quotas have; as Kubernetes' messages write them. */
export function uncoveredScopes(
  limited: readonly LimitedResource[],
  resource: GroupResource,
  object: unknown,
  covered: ReadonlySet<string>,
): readonly string[] {
  return limited
    .flatMap(({ matchScopes }) => metScopes(resource, object, matchScopes))
    .filter(({ scopeName }) => !covered.has(scopeName))
    .map(({ scopeName, operator, values = [] }) => `{${scopeName} ${operator} [${values.join(' ')}]}`);
}
