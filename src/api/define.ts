import { apiVersionOf, type KubeObject, type UnstructuredObject, type Verb } from '../apimachinery/meta.ts';
import type { Schema } from '../apimachinery/schema.ts';
import { ageColumn, nameColumn } from './columns.ts';
import resourceFacts from './facts/resources.json' with { type: 'json' };
import type { KindDefinition, SubresourceDefinition } from './kind.ts';
import { schemaOfKind } from './schema.ts';

/** One row of facts/resources.json: a resource, or a subresource (`pods/status`). */
export interface ResourceFact {
  readonly groupVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly namespaced: boolean;
  readonly singularName?: string;
  readonly shortNames?: readonly string[];
  readonly categories?: readonly string[];
  readonly verbs: readonly Verb[];
  /** Of a subresource whose kind belongs to another group. */
  readonly group?: string;
  readonly version?: string;
}

export const resourceRows = resourceFacts as unknown as readonly ResourceFact[];

// Pure index of immutable data, built at the first use.
let rowsByGroupVersion: ReadonlyMap<string, readonly ResourceFact[]> | undefined;

function rowsOf(group: string, version: string): readonly ResourceFact[] {
  if (!rowsByGroupVersion) {
    const index = new Map<string, ResourceFact[]>();
    for (const row of resourceRows) {
      const rows = index.get(row.groupVersion);
      if (rows) rows.push(row);
      else index.set(row.groupVersion, [row]);
    }
    rowsByGroupVersion = index;
  }
  return rowsByGroupVersion.get(apiVersionOf(group, version)) ?? [];
}

type Given = 'group' | 'version' | 'kind';

/**
 * What a kind file says: which kind it is, and what is particular about it. All other members of `KindDefinition`
 * are optional: names, scope, verbs, short names, categories and subresources come from the resource facts, the
 * schema from the type facts. `resource` tells apart kinds that the facts do not list.
 */
export type KindOptions<T extends KubeObject> = Pick<KindDefinition<T>, Given> &
  Partial<Omit<KindDefinition<T>, Given>>;

/**
 * Defaults: `nameFormat` dns1123Subdomain, `generation` none, columns NAME and AGE, no selectable fields; `virtual`
 * for resources without `watch`. `/status` and the other listed subresources are filled in; `subresources` given here
 * is merged over them (a kind with `/scale` gives `subresources.scale`).
 */
export function defineKind<T extends KubeObject = UnstructuredObject>(options: KindOptions<T>): KindDefinition<T> {
  const { group, version, kind } = options;
  const rows = rowsOf(group, version);
  const row = rows.find((candidate) => candidate.kind === kind && !candidate.name.includes('/'));
  const resource = options.resource ?? row?.name;
  const schema = options.schema ?? schemaOfKind(group, version, kind);
  if (!resource || !schema)
    throw new Error(`${apiVersionOf(group, version)} ${kind} is in no facts table: give it a resource and a schema`);
  const verbs = options.verbs ?? row?.verbs ?? [];
  const prefix = `${resource}/`;
  const below = rows.filter((candidate) => candidate.name.startsWith(prefix));
  const others = below
    .map(
      (candidate): SubresourceDefinition => ({ ...subresource(candidate), name: candidate.name.slice(prefix.length) }),
    )
    .filter(({ name }) => name !== 'status' && name !== 'scale');
  const hasStatus = below.some((candidate) => candidate.name === `${prefix}status`);
  return {
    listKind: `${kind}List`,
    singular: row?.singularName ?? kind.toLowerCase(),
    shortNames: row?.shortNames ?? [],
    categories: row?.categories ?? [],
    namespaced: row?.namespaced ?? true,
    ...(verbs.includes('watch') ? {} : { virtual: true }),
    nameFormat: 'dns1123Subdomain',
    generation: 'none',
    columns: [nameColumn, ageColumn],
    selectableFields: {},
    ...options,
    default(object) {
      fillSpec(object as { spec?: unknown }, schema);
      options.default?.(object);
    },
    resource,
    verbs,
    schema,
    subresources: {
      ...(hasStatus ? { status: {} } : {}),
      ...(others.length ? { others } : {}),
      ...options.subresources,
    },
  };
}

function subresource({ kind, group, version, verbs }: ResourceFact): Omit<SubresourceDefinition, 'name'> {
  return { kind, verbs, ...(group !== undefined ? { group } : {}), ...(version !== undefined ? { version } : {}) };
}

/** In Kubernetes' types the spec is a struct: an absent one reads as a spec that says nothing. */
function fillSpec(object: { spec?: unknown }, schema: Schema): void {
  if (object.spec != null) return;
  const spec = schema.fields?.().get('spec')?.schema;
  if (spec?.type === 'object') object.spec = zeroStruct(spec);
}

function zeroStruct(schema: Schema): object {
  // Label selectors of workloads are required, and pointers.
  const fields = [...(schema.fields?.() ?? [])].filter(
    ([name, field]) => field.required && field.schema.type === 'object' && name !== 'selector',
  );
  return Object.fromEntries(fields.map(([name, field]) => [name, zeroStruct(field.schema)]));
}
