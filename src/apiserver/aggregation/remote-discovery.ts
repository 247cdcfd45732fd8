import type { APIResource } from '../../apimachinery/meta.ts';
import type { DiscoveredGroup, DiscoveredResource, DiscoveredVersion } from '../discovery/discovery-documents.ts';
import { isAvailable, type RemoteApiService } from './remote-api-services.ts';

type Writable<T> = { -readonly [K in keyof T]: T[K] };
type Subresource = DiscoveredResource['subresources'][number];

/** Groups of APIServices for the discovery documents; `resourcesOf` is what each last said of itself, by name. */
export function discoveredGroups(
  services: Iterable<RemoteApiService>,
  resourcesOf: (name: string) => readonly DiscoveredResource[] | undefined,
): DiscoveredGroup[] {
  const groups = new Map<string, { group: string; versions: DiscoveredVersion[]; priority: number }>();
  for (const service of services) {
    const { group, version, groupPriorityMinimum, versionPriority } = service.spec;
    const resources = resourcesOf(service.metadata.name);
    const entry: DiscoveredVersion = {
      version,
      resources: resources ?? [],
      freshness: resources && isAvailable(service) ? 'Current' : 'Stale',
      priority: versionPriority,
    };
    const known = groups.get(group);
    if (!known) groups.set(group, { group, versions: [entry], priority: groupPriorityMinimum });
    else {
      known.versions.push(entry);
      known.priority = Math.max(known.priority, groupPriorityMinimum);
    }
  }
  return [...groups.values()];
}

/** A legacy resource list, as another server sent it: what makes no sense in it is left out. */
export function discoveredResources(group: string, version: string, list: unknown): DiscoveredResource[] {
  const found = new Map<string, Writable<DiscoveredResource> & { subresources: Subresource[] }>();
  const resource = (name: string, namespaced: boolean) => {
    let known = found.get(name);
    if (!known) {
      // Subresources may come without their resource: then nothing is known of it.
      const unknown = { group: '', version: '', kind: '', singularName: '', verbs: [], shortNames: [], categories: [] };
      known = { ...unknown, name, namespaced, stored: false, subresources: [] };
      found.set(name, known);
    }
    return known;
  };
  for (const item of Array.isArray(list) ? (list as (Partial<APIResource> | null)[]) : []) {
    if (typeof item?.name !== 'string' || item.name === '') continue;
    const namespaced = item.namespaced === true;
    const own = {
      namespaced,
      group: typeof item.group === 'string' && item.group ? item.group : group,
      version: typeof item.version === 'string' && item.version ? item.version : version,
      kind: typeof item.kind === 'string' ? item.kind : '',
      verbs: strings(item.verbs),
    };
    const slash = item.name.indexOf('/');
    if (slash >= 0) {
      const parent = resource(item.name.slice(0, slash), namespaced);
      parent.subresources.push({ ...own, name: item.name.slice(slash + 1) });
      continue;
    }
    Object.assign(resource(item.name, namespaced), own, {
      singularName: typeof item.singularName === 'string' ? item.singularName : '',
      shortNames: strings(item.shortNames),
      categories: strings(item.categories),
    });
  }
  return [...found.values()];
}

const strings = (value: unknown): string[] =>
  Array.isArray(value) ? value.filter((item): item is string => typeof item === 'string') : [];
