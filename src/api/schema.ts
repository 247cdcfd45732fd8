import type { FieldSchema, Schema } from '../apimachinery/schema.ts';
import { keepsZero, type ScalarType } from '../apimachinery/zero-values.ts';
import { typeFacts } from './facts/types.gen.ts';
import { isWrittenStruct } from './written-structs.ts';

/** One row of the type facts: a struct with fields, or an alias of a scalar. */
interface TypeFact {
  readonly fields?: Readonly<Record<string, FieldFact>>;
  readonly type?: string;
  readonly gvk?: readonly [group: string, version: string, kind: string];
  readonly mapType?: string;
}

interface FieldFact {
  readonly type: string;
  readonly required?: boolean;
  readonly default?: FieldSchema['default'];
  readonly listType?: Schema['listType'];
  readonly listMapKeys?: readonly string[];
  readonly mapType?: Schema['mapType'];
  readonly patchStrategy?: string;
  readonly patchMergeKey?: string;
}

const scalars: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'int32' },
  int64: { type: 'int64' },
  double: { type: 'double' },
  bytes: { type: 'bytes' },
  Time: { type: 'time', name: 'io.k8s.apimachinery.pkg.apis.meta.v1.Time' },
  MicroTime: { type: 'microTime', name: 'io.k8s.apimachinery.pkg.apis.meta.v1.MicroTime' },
  Quantity: { type: 'quantity', name: 'io.k8s.apimachinery.pkg.api.resource.Quantity' },
  IntOrString: { type: 'intOrString', name: 'io.k8s.apimachinery.pkg.util.intstr.IntOrString' },
  RawExtension: { type: 'rawObject', name: 'io.k8s.apimachinery.pkg.runtime.RawExtension' },
  FieldsV1: { type: 'rawObject', name: 'io.k8s.apimachinery.pkg.apis.meta.v1.FieldsV1' },
  object: { type: 'rawObject' },
  any: { type: 'any' },
};

/** Go packages whose name is not the first part of the API group. */
const groupPackages: Readonly<Record<string, string>> = {
  '': 'core',
  'internal.apiserver.k8s.io': 'apiserverinternal',
};

/** Where upstream keeps the Go packages that are not under `k8s.io/api`. */
const packages: Readonly<Record<string, string>> = {
  meta: 'io.k8s.apimachinery.pkg.apis.meta',
  version: 'io.k8s.apimachinery.pkg.version',
  apiextensions: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions',
  apiregistration: 'io.k8s.kube-aggregator.pkg.apis.apiregistration',
};

// Pure caches of immutable data: a fact is parsed and a schema built once, when first asked for.
const named = new Map<string, Schema>();
let factTexts: ReadonlyMap<string, string> | undefined;

function texts(): ReadonlyMap<string, string> {
  if (factTexts) return factTexts;
  const index = new Map<string, string>();
  for (let start = 1; start < typeFacts.length; ) {
    const end = typeFacts.indexOf('\n', start);
    const space = typeFacts.indexOf(' ', start);
    index.set(typeFacts.slice(start, space), typeFacts.slice(space + 1, end));
    start = end + 1;
  }
  factTexts = index;
  return index;
}

/**
 * The schema of a built-in type by its short name: `core.v1.Pod`, `meta.v1.ObjectMeta`, `rbac.v1.Role`.
 * The same object on every call. Throws for an unknown name.
 */
export function schemaOf(typeName: string): Schema {
  const known = named.get(typeName);
  if (known) return known;
  const text = texts().get(typeName);
  if (text === undefined) throw new Error(`no API type is named ${typeName}`);
  const fact = JSON.parse(text) as TypeFact;
  const name = openApiName(typeName);
  const [group, version, kind] = fact.gvk ?? [];
  const common = {
    name,
    ...(fact.mapType ? { mapType: fact.mapType as Schema['mapType'] } : {}),
    ...(kind ? { gvk: { group: group ?? '', version: version ?? '', kind } } : {}),
  };
  let fields: ReadonlyMap<string, FieldSchema> | undefined;
  const schema: Schema = fact.fields
    ? {
        type: 'object',
        ...common,
        fields: () => {
          fields ??= new Map(
            Object.entries(fact.fields ?? {}).map(([field, row]) => [field, fieldSchema(typeName, field, row)]),
          );
          return fields;
        },
      }
    : { ...scalars[fact.type ?? 'any']!, ...common };
  named.set(typeName, schema);
  return schema;
}

/** The schema of a kind; undefined when the facts know none. */
export function schemaOfKind(group: string, version: string, kind: string): Schema | undefined {
  const name = `${groupPackages[group] ?? group.split('.', 1)[0]}.${version}.${kind}`;
  return texts().has(name) ? schemaOf(name) : undefined;
}

/** `core.v1.Pod` is `io.k8s.api.core.v1.Pod` in OpenAPI documents. */
export function openApiName(typeName: string): string {
  const dot = typeName.indexOf('.');
  const group = typeName.slice(0, dot);
  return `${packages[group] ?? `io.k8s.api.${group}`}${typeName.slice(dot)}`;
}

/** The short names of all built-in types, `core.v1.Pod` and so on. */
export function typeNames(): readonly string[] {
  return [...texts().keys()];
}

function fieldSchema(typeName: string, field: string, fact: FieldFact): FieldSchema {
  let schema = typeSchema(fact.type);
  const { listType, listMapKeys, mapType, patchStrategy, patchMergeKey } = fact;
  if (listType || listMapKeys || mapType || patchStrategy || patchMergeKey) {
    schema = {
      ...schema,
      ...(listType ? { listType } : {}),
      ...(listMapKeys ? { listMapKeys } : {}),
      ...(mapType ? { mapType } : {}),
      ...(patchStrategy ? { patchStrategy } : {}),
      ...(patchMergeKey ? { patchMergeKey } : {}),
    };
  }
  return {
    schema,
    ...(fact.required ? { required: true } : {}),
    ...(schema.type === 'object' && !fact.required && isWrittenStruct(typeName, field) ? { written: true } : {}),
    // A default that is such a zero (minReadySeconds) is left out too.
    ...(fact.default ? { default: fact.default } : zeroOf(typeName, field, fact)),
  };
}

function zeroOf(typeName: string, field: string, { type, required, default: value }: FieldFact): Partial<FieldSchema> {
  const scalar = ['string', 'bool', 'int32', 'int64'].includes(type) ? (type as ScalarType) : undefined;
  if (!required && !keepsZero(typeName, field, scalar)) return { omitsZero: true };
  return value === undefined ? {} : { default: value };
}

function typeSchema(type: string): Schema {
  if (type.startsWith('[]')) return collection('list', type.slice(2));
  if (type.startsWith('map<')) return collection('map', type.slice(4, -1));
  return scalars[type] ?? schemaOf(type);
}

function collection(type: 'list' | 'map', itemType: string): Schema {
  let items: Schema | undefined;
  return {
    type,
    items: () => {
      items ??= typeSchema(itemType);
      return items;
    },
  };
}
