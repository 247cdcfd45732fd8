import { apiVersionOf, type KubeObject } from '../../apimachinery/meta.ts';
import type { ResourceType } from '../client.ts';

const VERBS = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'];

/** The legacy discovery documents of these types, or undefined for any other path. */
export function fakeDiscovery(path: string, types: readonly ResourceType<KubeObject>[]): unknown {
  if (path === '/api') return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs: [] };
  if (path === '/apis') {
    const groups = new Map<string, Set<string>>();
    for (const { group, version } of types) if (group) groups.set(group, (groups.get(group) ?? new Set()).add(version));
    return {
      apiVersion: 'v1',
      kind: 'APIGroupList',
      groups: [...groups].map(([name, versions]) => {
        const all = [...versions].map((version) => ({ groupVersion: `${name}/${version}`, version }));
        return { name, versions: all, preferredVersion: all[0] };
      }),
    };
  }
  const match = /^\/(?:api\/([^/]+)|apis\/([^/]+)\/([^/]+))$/.exec(path);
  if (!match) return undefined;
  const [group, version] = match[1] ? ['', match[1]] : [match[2] ?? '', match[3] ?? ''];
  const resources = types
    .filter((type) => type.group === group && type.version === version && type.resource !== 'componentstatuses')
    .map(({ kind, resource, namespaced }) => ({
      kind,
      name: resource,
      singularName: kind.toLowerCase(),
      namespaced,
      verbs: VERBS,
    }));
  return { apiVersion: 'v1', kind: 'APIResourceList', groupVersion: apiVersionOf(group, version), resources };
}
