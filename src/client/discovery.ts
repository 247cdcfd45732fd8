import type { APIGroupList, APIResource, APIResourceList } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client, ResourceType } from './client.ts';

export interface DiscoveredResource {
  readonly type: ResourceType;
  readonly verbs: readonly string[];
}

export interface Discovery {
  /** Each resource in its group's preferred version, subresources left out. */
  readonly resources: readonly DiscoveredResource[];
  /** Every version of every resource, for references that name another than the preferred. */
  readonly all: readonly DiscoveredResource[];
  /** Group versions that could not be read, with the reason: aggregated servers that are down. */
  readonly failures: readonly { readonly groupVersion: string; readonly message: string }[];
}

interface AggregatedGroups {
  readonly kind: string;
  readonly items: readonly {
    readonly metadata?: { readonly name?: string };
    readonly versions?: readonly {
      readonly version: string;
      readonly freshness?: string;
      readonly resources?: readonly {
        readonly resource: string;
        readonly responseKind?: { readonly kind?: string };
        readonly scope: string;
        readonly verbs: readonly string[];
      }[];
    }[];
  }[];
}

const AGGREGATED = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList';

/** What the server serves: by aggregated discovery (two requests), or by the legacy documents. Throws if nothing is readable. */
export async function discover(client: Client, signal?: AbortSignal): Promise<Discovery> {
  const headers = { accept: `${AGGREGATED},application/json` };
  const [core, named] = await Promise.all([
    client.request<AggregatedGroups>({ method: 'GET', path: '/api', headers, signal }),
    client.request<AggregatedGroups | APIGroupList>({ method: 'GET', path: '/apis', headers, signal }),
  ]);
  if (core.body.kind === 'APIGroupDiscoveryList' && named.body.kind === 'APIGroupDiscoveryList')
    return fromAggregated([...core.body.items, ...(named.body as AggregatedGroups).items]);
  return fromLegacy(client, named.body as APIGroupList, signal);
}

function fromAggregated(groups: AggregatedGroups['items']): Discovery {
  const found = collector();
  for (const group of groups) {
    const name = group.metadata?.name ?? '';
    for (const { version, freshness, resources } of group.versions ?? []) {
      if (freshness === 'Stale') found.fail(name, version, 'stale GroupVersion discovery');
      for (const { resource, responseKind, scope, verbs } of resources ?? [])
        found.add(
          { group: name, version, kind: responseKind?.kind ?? '', resource, namespaced: scope === 'Namespaced' },
          verbs,
        );
    }
  }
  return found.result();
}

async function fromLegacy(client: Client, list: APIGroupList, signal: AbortSignal | undefined): Promise<Discovery> {
  const found = collector();
  const versions = [{ group: '', version: 'v1' }];
  for (const { name, preferredVersion, versions: all } of list.groups) {
    const rank = (version: string) => (version === preferredVersion?.version ? 0 : 1);
    for (const { version } of [...all].sort((a, b) => rank(a.version) - rank(b.version)))
      versions.push({ group: name, version });
  }
  const answers = await Promise.all(
    versions.map(async ({ group, version }) => {
      const path = group ? `/apis/${group}/${version}` : `/api/${version}`;
      try {
        return (await client.request<APIResourceList>({ method: 'GET', path, signal })).body.resources;
      } catch (error) {
        // A group that went away between the two requests is no failure.
        if (!isStatusError(error, 'NotFound')) found.fail(group, version, String((error as Error).message));
        return [] as readonly APIResource[];
      }
    }),
  );
  versions.forEach(({ group, version }, index) => {
    for (const { name, kind, namespaced, verbs } of answers[index] ?? [])
      if (!name.includes('/')) found.add({ group, version, kind, resource: name, namespaced }, verbs);
  });
  return found.result();
}

function collector() {
  const preferred = new Map<string, DiscoveredResource>();
  const all: DiscoveredResource[] = [];
  const failures: { groupVersion: string; message: string }[] = [];
  return {
    add(type: ResourceType, verbs: readonly string[]): void {
      const entry = { type, verbs };
      all.push(entry);
      const key = `${type.group}/${type.resource}`;
      if (!preferred.has(key)) preferred.set(key, entry);
    },
    fail(group: string, version: string, message: string): void {
      failures.push({ groupVersion: group ? `${group}/${version}` : version, message });
    },
    result: (): Discovery => ({ resources: [...preferred.values()], all, failures }),
  };
}
