import type { Schema } from '../schema.ts';
import { keepsZero, type ScalarType } from '../zero-values.ts';

/** What a codec is made from: the message tables and the JSON shape of the types. */
export interface ProtobufTables {
  /** By full message name: name, number and type of each field. */
  readonly messages: Readonly<Record<string, readonly (readonly [name: string, number: number, type: string])[]>>;
  /** The schema of a type by its short name (`core.v1.Pod`); `undefined` for a struct that only occurs inlined. */
  schemaOf(typeName: string): Schema | undefined;
}

/** How the JSON form of a message differs from an object of its fields. */
export type Special =
  | 'quantity'
  | 'time'
  | 'microTime'
  | 'duration'
  | 'intOrString'
  | 'raw'
  | 'items'
  | 'schemaOrBool'
  | 'schemaOrArray'
  | 'schemaOrStringArray';

export interface ValueType {
  readonly scalar?: ScalarType;
  readonly message?: string;
}

export interface FieldPlan {
  /** The JSON name; of no meaning when inlined. */
  readonly name: string;
  readonly number: number;
  readonly shape: 'single' | 'list' | 'map' | 'inlined';
  readonly type: ValueType;
  /** A zero value is a value of its own and not absence. */
  readonly keepsZero: boolean;
}

export interface MessagePlan {
  readonly name: string;
  readonly special?: Special;
  /** By descending number: messages are written back to front. */
  readonly fields: readonly FieldPlan[];
  readonly byNumber: ReadonlyMap<number, FieldPlan>;
}

const META = 'k8s.io.apimachinery.pkg.apis.meta.v1';
const APIEXTENSIONS = 'k8s.io.apiextensions_apiserver.pkg.apis.apiextensions';

const specials: ReadonlyMap<string, Special> = new Map<string, Special>([
  ['k8s.io.apimachinery.pkg.api.resource.Quantity', 'quantity'],
  ['k8s.io.apimachinery.pkg.api.resource.QuantityValue', 'quantity'],
  [`${META}.Time`, 'time'],
  [`${META}.MicroTime`, 'microTime'],
  [`${META}.Duration`, 'duration'],
  [`${META}.FieldsV1`, 'raw'],
  [`${META}.Verbs`, 'items'],
  ['k8s.io.apimachinery.pkg.runtime.RawExtension', 'raw'],
  ['k8s.io.apimachinery.pkg.util.intstr.IntOrString', 'intOrString'],
]);

function specialOf(name: string): Special | undefined {
  const known = specials.get(name);
  if (known) return known;
  if (name.endsWith('.ExtraValue')) return 'items';
  if (!name.startsWith(APIEXTENSIONS)) return undefined;
  if (name.endsWith('.JSON')) return 'raw';
  if (name.endsWith('.JSONSchemaPropsOrBool')) return 'schemaOrBool';
  if (name.endsWith('.JSONSchemaPropsOrArray')) return 'schemaOrArray';
  return name.endsWith('.JSONSchemaPropsOrStringArray') ? 'schemaOrStringArray' : undefined;
}

const scalars: ReadonlySet<string> = new Set(['string', 'bool', 'int32', 'int64', 'double', 'bytes']);

/** `k8s.io.api.core.v1.Pod` is `core.v1.Pod` in the type facts. */
export function typeNameOf(message: string): string {
  return message.split('.').slice(-3).join('.');
}

/** The message of a kind; `undefined` when there is none (custom resources, Table). */
export function messageOfKind(tables: ProtobufTables, apiVersion: string, kind: string): string | undefined {
  const slash = apiVersion.indexOf('/');
  const group = slash < 0 ? '' : apiVersion.slice(0, slash);
  const version = apiVersion.slice(slash + 1);
  const known = (name: string) => (Object.hasOwn(tables.messages, name) ? name : undefined);
  return (
    known(`${packageOf(group)}.${version}.${kind}`) ??
    (group === 'meta.k8s.io' ? known(`${META.slice(0, -3)}.${version}.${kind}`) : undefined) ??
    known(`${META}.${kind}`)
  );
}

function packageOf(group: string): string {
  switch (group) {
    case '':
      return 'k8s.io.api.core';
    case 'internal.apiserver.k8s.io':
      return 'k8s.io.api.apiserverinternal';
    case 'apiextensions.k8s.io':
      return APIEXTENSIONS;
    case 'apiregistration.k8s.io':
      return 'k8s.io.kube_aggregator.pkg.apis.apiregistration';
    default:
      return `k8s.io.api.${group.split('.', 1)[0]}`;
  }
}

/** `undefined` for a message that the tables do not have. */
export function planMessage(tables: ProtobufTables, name: string): MessagePlan | undefined {
  const rows = Object.hasOwn(tables.messages, name) ? tables.messages[name] : undefined;
  if (!rows) return undefined;
  const schemaFields = tables.schemaOf(typeNameOf(name))?.fields?.();
  const jsonNames = new Map([...(schemaFields?.keys() ?? [])].map((key) => [normalized(key), key]));
  const special = specialOf(name);
  const fields: FieldPlan[] = rows.map(([fieldName, number, type]) => {
    const { shape, type: value } = parseType(tables, name, type);
    const jsonName = schemaFields ? jsonNames.get(normalized(fieldName)) : fieldName;
    if (jsonName === undefined && value.message && shape === 'single' && !special)
      return { name: fieldName, number, shape: 'inlined', type: value, keepsZero: false };
    const known = jsonName ?? fieldName;
    const required = schemaFields?.get(known)?.required === true;
    return {
      name: known,
      number,
      shape,
      type: value,
      keepsZero: required || keepsZero(typeNameOf(name), known, value.scalar),
    };
  });
  fields.sort((a, b) => b.number - a.number);
  return {
    name,
    fields,
    byNumber: new Map(fields.map((field) => [field.number, field])),
    ...(special ? { special } : {}),
  };
}

/** `uID` and `uid`, `xKubernetesListType` and `x-kubernetes-list-type`, `ref` and `$ref` are the same field. */
function normalized(name: string): string {
  return name.replace(/[^A-Za-z0-9]/g, '').toLowerCase();
}

function parseType(
  tables: ProtobufTables,
  message: string,
  type: string,
): { shape: 'single' | 'list' | 'map'; type: ValueType } {
  if (type.startsWith('[]')) return { shape: 'list', type: valueType(tables, message, type.slice(2)) };
  const map = /^map<string, (.*)>$/.exec(type);
  if (map) return { shape: 'map', type: valueType(tables, message, map[1] as string) };
  return { shape: 'single', type: valueType(tables, message, type) };
}

function valueType(tables: ProtobufTables, message: string, type: string): ValueType {
  if (scalars.has(type)) return { scalar: type as ScalarType };
  if (type.startsWith('.')) return { message: type.slice(1) };
  if (Object.hasOwn(tables.messages, type)) return { message: type };
  return { message: `${message.slice(0, message.lastIndexOf('.'))}.${type}` };
}
