import { createHash } from 'node:crypto';
import type { KindDefinition, KindRegistry } from '../../api/kind.ts';
import { apiVersionOf } from '../../apimachinery/meta.ts';
import { DiscoveryDocument } from './discovery-document.ts';
import { CUSTOM_VERSION_PRIORITY, compareGroups, compareVersions, groupPriority } from './group-order.ts';

/** One resource or subresource, in whatever form it is then shown. */
export interface DiscoveredResource {
  readonly name: string;
  readonly singularName: string;
  readonly namespaced: boolean;
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly verbs: readonly string[];
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly stored: boolean;
  /** Of a CustomResourceDefinition. */
  readonly custom?: boolean;
  readonly subresources: readonly Omit<
    DiscoveredResource,
    'subresources' | 'shortNames' | 'categories' | 'stored' | 'custom' | 'singularName'
  >[];
}

export interface DiscoveredVersion {
  readonly version: string;
  readonly resources: readonly DiscoveredResource[];
  /** Of an aggregated API: `Stale` while it cannot be asked. */
  readonly freshness: 'Current' | 'Stale';
  /** The APIService's, of an aggregated API; the higher one is preferred. */
  readonly priority?: number;
}

export interface DiscoveredGroup {
  readonly group: string;
  /** The highest of its APIServices, of an aggregated API. */
  readonly priority?: number;
  /** The preferred one first. */
  readonly versions: readonly DiscoveredVersion[];
}

/** Groups from elsewhere (aggregated APIs), merged into what the registry serves, in whose place they are. */
export type DiscoverySource = () => readonly DiscoveredGroup[];

/** The order in which those of custom resources are told. */
const CUSTOM_VERBS = ['delete', 'deletecollection', 'get', 'list', 'patch', 'create', 'update', 'watch'];
const READ_WRITE = ['get', 'patch', 'update'];

/** What is served, as the discovery documents say it; made when first asked for after a change. */
export class DiscoveryDocuments {
  readonly #kinds: KindRegistry;
  readonly #sources: DiscoverySource[] = [];
  readonly #documents = new Map<string, DiscoveryDocument>();
  #groups: readonly DiscoveredGroup[] | undefined;

  constructor(kinds: KindRegistry) {
    this.#kinds = kinds;
    kinds.onChange(() => this.invalidate());
  }

  addSource(source: DiscoverySource): void {
    this.#sources.push(source);
    this.invalidate();
  }

  /** To be called when a source has something new. */
  invalidate(): void {
    this.#groups = undefined;
    this.#documents.clear();
  }

  document(
    key: string,
    make: (groups: readonly DiscoveredGroup[]) => object | undefined,
  ): DiscoveryDocument | undefined {
    const known = this.#documents.get(key);
    if (known) return known;
    const object = make(this.groups());
    if (!object) return undefined;
    const document = new DiscoveryDocument(object);
    this.#documents.set(key, document);
    return document;
  }

  groups(): readonly DiscoveredGroup[] {
    this.#groups ??= mergeGroups([...this.#sources.map((source) => source()), groupsOf(this.#kinds.all())]);
    return this.#groups;
  }
}

function groupsOf(definitions: readonly KindDefinition[]): DiscoveredGroup[] {
  const groups = new Map<string, Map<string, DiscoveredResource[]>>();
  for (const definition of definitions) {
    let versions = groups.get(definition.group);
    if (!versions) {
      versions = new Map();
      groups.set(definition.group, versions);
    }
    const resources = versions.get(definition.version);
    if (resources) resources.push(discovered(definition));
    else versions.set(definition.version, [discovered(definition)]);
  }
  return [...groups].map(([group, versions]) => ({
    group,
    versions: [...versions].map(([version, resources]) => ({
      version,
      freshness: 'Current',
      resources: resources.sort((a, b) => (a.name < b.name ? -1 : 1)),
    })),
  }));
}

function mergeGroups(sources: readonly (readonly DiscoveredGroup[])[]): DiscoveredGroup[] {
  const merged = new Map<string, { versions: DiscoveredVersion[]; priority?: number }>();
  for (const { group, versions, priority } of sources.flat()) {
    const known = merged.get(group);
    if (!known) merged.set(group, { versions: [...versions], ...(priority === undefined ? {} : { priority }) });
    else {
      known.versions.push(
        ...versions.filter(({ version }) => !known.versions.some((other) => other.version === version)),
      );
      known.priority = Math.max(known.priority ?? 0, priority ?? groupPriority(group));
    }
  }
  const rank = ({ priority = CUSTOM_VERSION_PRIORITY }: DiscoveredVersion) => priority;
  return [...merged]
    .map(([group, { versions, ...more }]) => ({
      group,
      versions: versions.sort((a, b) => rank(b) - rank(a) || compareVersions(a.version, b.version)),
      ...more,
    }))
    .sort(compareGroups);
}

function discovered(definition: KindDefinition): DiscoveredResource {
  const { group, version, kind, resource, singular, namespaced, verbs, shortNames, categories, subresources } =
    definition;
  const own = { group, version, kind, namespaced };
  const custom = definition.decoding !== undefined;
  const below = [
    ...(subresources.status ? [{ ...own, name: 'status', verbs: READ_WRITE }] : []),
    ...(subresources.scale
      ? [{ ...own, ...gvkOfScale(subresources.scale.version), name: 'scale', verbs: READ_WRITE }]
      : []),
    ...(subresources.others ?? []).map((other) => ({
      namespaced,
      name: other.name,
      kind: other.kind,
      group: other.group ?? group,
      version: other.version ?? version,
      verbs: [...other.verbs].sort(),
    })),
  ].sort((a, b) => (a.name < b.name ? -1 : 1));
  return {
    ...own,
    name: resource,
    singularName: singular,
    verbs: custom ? CUSTOM_VERBS.filter((verb) => (verbs as readonly string[]).includes(verb)) : [...verbs].sort(),
    shortNames,
    categories,
    stored: !definition.virtual,
    ...(custom ? { custom } : {}),
    subresources: below,
  };
}

function gvkOfScale(apiVersion: string) {
  const [group = '', version = ''] = apiVersion.split('/');
  return { group, version, kind: 'Scale' };
}

/** The legacy APIResourceList of one group and version. */
export function resourceList(group: string, version: string, resources: readonly DiscoveredResource[]): object {
  const gvk = (of: { group: string; version: string }) => ({
    ...(of.group === group && of.version === version ? {} : { group: of.group, version: of.version }),
  });
  return {
    kind: 'APIResourceList',
    ...(group === '' ? {} : { apiVersion: 'v1' }),
    groupVersion: apiVersionOf(group, version),
    resources: resources.flatMap((resource) => [
      {
        name: resource.name,
        singularName: resource.singularName,
        namespaced: resource.namespaced,
        ...gvk(resource),
        kind: resource.kind,
        verbs: resource.verbs,
        ...(resource.shortNames.length ? { shortNames: resource.shortNames } : {}),
        ...(resource.categories.length ? { categories: resource.categories } : {}),
        ...(resource.stored ? { storageVersionHash: storageVersionHash(resource) } : {}),
      },
      ...resource.subresources.map((sub) => ({
        name: `${resource.name}/${sub.name}`,
        singularName: '',
        namespaced: sub.namespaced,
        ...gvk(sub),
        kind: sub.kind,
        verbs: sub.verbs,
      })),
    ]),
  };
}

function storageVersionHash({ group, version, kind }: DiscoveredResource): string {
  return createHash('sha256').update(`${group}/${version}/${kind}`).digest().subarray(0, 8).toString('base64');
}

/** The group and version that a built-in kind shares with where it is listed go without saying. */
function responseKind(
  { group, version, kind }: Pick<DiscoveredResource, 'group' | 'version' | 'kind'>,
  listed: DiscoveredResource,
): object {
  const known = !listed.custom && group === listed.group && version === listed.version;
  return known ? { group: '', version: '', kind } : { group, version, kind };
}

/** Aggregated discovery, `apidiscovery.k8s.io/v2`. */
export function aggregated(groups: readonly DiscoveredGroup[]): object {
  return {
    kind: 'APIGroupDiscoveryList',
    apiVersion: 'apidiscovery.k8s.io/v2',
    metadata: {},
    items: groups.map(({ group, versions }) => ({
      metadata: group ? { name: group } : {},
      versions: versions.map(({ version, resources, freshness }) => ({
        version,
        resources: resources.map((resource) => ({
          resource: resource.name,
          responseKind: responseKind(resource, resource),
          scope: resource.namespaced ? 'Namespaced' : 'Cluster',
          singularResource: resource.singularName,
          verbs: resource.verbs,
          ...(resource.shortNames.length ? { shortNames: resource.shortNames } : {}),
          ...(resource.categories.length ? { categories: resource.categories } : {}),
          ...(resource.subresources.length
            ? {
                subresources: resource.subresources.map((sub) => ({
                  subresource: sub.name,
                  responseKind: responseKind(sub, resource),
                  verbs: sub.verbs,
                })),
              }
            : {}),
        })),
        freshness,
      })),
    })),
  };
}

export function apiGroup({ group, versions }: DiscoveredGroup): object {
  const list = versions.map(({ version }) => ({ groupVersion: apiVersionOf(group, version), version }));
  return { name: group, versions: list, preferredVersion: list[0] };
}
