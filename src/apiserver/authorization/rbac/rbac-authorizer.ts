import type { PolicyRule } from '../../../api/types/rbac.v1.gen.ts';
import type {
  AuthorizationAttributes,
  AuthorizationDecision,
  Authorizer,
  ListedRules,
  NonResourceRule,
  ResourceRule,
} from '../../../sdk/authorization.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { missingRole, RbacIndex, type RbacSource } from './rbac-index.ts';
import { ruleAllows } from './rule-matcher.ts';

const noOpinion: AuthorizationDecision = { decision: 'noOpinion', reason: '' };

/** Role-based access control over Roles, ClusterRoles and their bindings. Never denies: what nobody grants is not allowed. */
export class RbacAuthorizer implements Authorizer {
  readonly name = 'RBAC';
  readonly index = new RbacIndex();
  readonly #allowed = new Map<string, AuthorizationDecision>();
  readonly #unsubscribe: (() => void) | undefined;

  constructor(source?: RbacSource) {
    const { index } = this;
    this.#unsubscribe = source?.subscribe({
      upsert: (object) => index.upsert(object),
      remove: (object) => index.remove(object),
    });
  }

  stop(): void {
    this.#unsubscribe?.();
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision {
    const combined = attributes.subresource ? `${attributes.resource}/${attributes.subresource}` : attributes.resource;
    let granted: string | undefined;
    let missing: string[] | undefined;
    this.index.visit(attributes.user, attributes.resourceRequest ? attributes.namespace : '', (grant) => {
      const role = this.index.role(grant.roleKey);
      if (!role) {
        missing ??= [];
        missing.push(grant.roleKey);
        return false;
      }
      for (const rule of role.matchers) {
        if (!ruleAllows(rule, attributes, combined)) continue;
        granted = grant.description;
        return true;
      }
      return false;
    });
    if (granted !== undefined) return this.#allow(granted);
    return missing ? { decision: 'noOpinion', reason: `RBAC: ${aggregate(missing.map(missingRole))}` } : noOpinion;
  }

  /** The rules a user has in a namespace (and cluster-wide), and what of them could not be found. */
  policyRules(
    user: UserInfo,
    namespace: string,
  ): { readonly rules: readonly PolicyRule[]; readonly errors: readonly string[] } {
    const rules: PolicyRule[] = [];
    const errors: string[] = [];
    this.index.visit(user, namespace, (grant) => {
      const role = this.index.role(grant.roleKey);
      if (role) rules.push(...role.rules);
      else errors.push(missingRole(grant.roleKey));
      return false;
    });
    return { rules, errors };
  }

  rulesFor(user: UserInfo, namespace: string): ListedRules {
    const resource: ResourceRule[] = [];
    const nonResource: NonResourceRule[] = [];
    const { rules, errors } = this.policyRules(user, namespace);
    for (const rule of rules) {
      if (rule.resources?.length) {
        resource.push({
          verbs: rule.verbs,
          apiGroups: rule.apiGroups ?? [],
          resources: rule.resources,
          ...(rule.resourceNames?.length ? { resourceNames: rule.resourceNames } : {}),
        });
      }
      if (rule.nonResourceURLs?.length) nonResource.push({ verbs: rule.verbs, nonResourceURLs: rule.nonResourceURLs });
    }
    return { resource, nonResource, errors };
  }

  #allow(description: string): AuthorizationDecision {
    let decision = this.#allowed.get(description);
    if (!decision) {
      if (this.#allowed.size > 10_000) this.#allowed.clear();
      decision = { decision: 'allow', reason: `RBAC: allowed by ${description}` };
      this.#allowed.set(description, decision);
    }
    return decision;
  }
}

const aggregate = (errors: readonly string[]) => {
  const distinct = [...new Set(errors)];
  return distinct.length === 1 ? distinct[0] : `[${distinct.join(', ')}]`;
};
