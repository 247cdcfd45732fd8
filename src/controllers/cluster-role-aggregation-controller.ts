import type { ClusterRole, PolicyRule } from '../api/types/rbac.v1.gen.ts';
import { labelSelectorMatcher } from '../apimachinery/labels.ts';
import { ClusterRoles } from '../client/resource-types.gen.ts';
import { type ControllerDefinition, defineController, watch } from './runtime/index.ts';

/** Fills ClusterRoles that have an aggregation rule with the rules of those that it selects. */
export function clusterRoleAggregationController(): ControllerDefinition {
  return defineController({
    name: 'clusterrole-aggregation-controller',
    watches: [watch(ClusterRoles, { keys: (_role, { informer }) => aggregated(informer(ClusterRoles).list()) })],
    async reconcile({ name }, { client, informer }) {
      const role = informer(ClusterRoles).get(name);
      const selectors = role?.aggregationRule?.clusterRoleSelectors?.map(labelSelectorMatcher);
      if (!role || !selectors) return;
      const sources = informer(ClusterRoles)
        .list()
        .filter(
          (other) =>
            other.metadata.name !== name && selectors.some((selector) => selector.matches(other.metadata.labels)),
        )
        .sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
      const rules = new Map<string, PolicyRule>();
      for (const source of sources) for (const rule of source.rules ?? []) rules.set(JSON.stringify(rule), rule);
      const wanted = [...rules.values()];
      if (JSON.stringify(role.rules ?? []) === JSON.stringify(wanted)) return;
      await client.for(ClusterRoles).update({ ...role, rules: wanted });
    },
  });
}

const aggregated = (roles: readonly ClusterRole[]) =>
  roles.filter(({ aggregationRule }) => aggregationRule).map(({ metadata }) => metadata.name);
