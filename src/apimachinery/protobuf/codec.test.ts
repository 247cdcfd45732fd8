import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import protobufjs from 'protobufjs';
import { describe, expect, it } from 'vitest';
import type { FieldSchema, Schema } from '../schema.ts';
import { createProtobufCodec } from './codec.ts';
import { messageOfKind, type ProtobufTables, typeNameOf } from './tables.ts';

interface TypeFact {
  readonly type?: string;
  readonly gvk?: readonly [string, string, string];
  readonly fields?: Readonly<Record<string, { readonly type: string; readonly required?: boolean }>>;
}

const facts = (name: string) => JSON.parse(readFileSync(new URL(`../../api/facts/${name}`, import.meta.url), 'utf8'));
const messages = facts('protobuf.json') as ProtobufTables['messages'];
const types = facts('types.json').types as Record<string, TypeFact>;

const scalarTypes: Record<string, Schema['type']> = {
  string: 'string',
  bool: 'boolean',
  int32: 'int32',
  int64: 'int64',
  double: 'double',
  bytes: 'bytes',
  Time: 'time',
  MicroTime: 'microTime',
  Quantity: 'quantity',
  IntOrString: 'intOrString',
  RawExtension: 'rawObject',
  FieldsV1: 'rawObject',
  object: 'rawObject',
  any: 'any',
};

function schemaOfType(type: string): Schema {
  if (type.startsWith('[]')) return { type: 'list', items: () => schemaOfType(type.slice(2)) };
  if (type.startsWith('map<')) return { type: 'map', items: () => schemaOfType(type.slice(4, -1)) };
  return scalarTypes[type] ? { type: scalarTypes[type] } : (schemaOf(type) as Schema);
}

function schemaOf(name: string): Schema | undefined {
  const fact = types[name];
  if (!fact) return undefined;
  if (!fact.fields) return { ...schemaOfType(fact.type ?? 'any'), name };
  const fields = fact.fields;
  return {
    type: 'object',
    name,
    fields: () =>
      new Map(
        Object.entries(fields).map(([key, row]): [string, FieldSchema] => [
          key,
          { schema: schemaOfType(row.type), ...(row.required ? { required: true } : {}) },
        ]),
      ),
  };
}

const tables: ProtobufTables = { messages, schemaOf };
const codec = createProtobufCodec(tables);

const rowsByType = new Map(Object.entries(messages).map(([name, rows]) => [typeNameOf(name), rows]));
const rowsOf = (typeName: string | undefined) => (typeName ? rowsByType.get(typeName) : undefined);

/** A value of the schema that has a protobuf form: no empty lists and maps, no zeros. */
function generate(schema: Schema, random: () => number, depth: number): unknown {
  const small = () => 1 + Math.floor(random() * 100);
  const either = <T>(...values: T[]) => values[Math.floor(random() * values.length)];
  if (schema.name?.endsWith('.JSON')) return either<unknown>({ any: [small(), 'x', null] }, 'x', 1, ['y'], false);
  if (schema.name?.endsWith('OrBool')) return either<unknown>(true, false, { type: 'string' });
  if (schema.name?.endsWith('OrArray')) return either<unknown>([{ type: 'string' }], { type: 'string' });
  if (schema.name?.endsWith('OrStringArray')) return either<unknown>(['a', 'b'], { type: 'string' });
  switch (schema.type) {
    case 'object': {
      const result: Record<string, unknown> = {};
      const rows = rowsOf(schema.name);
      for (const [key, field] of schema.fields?.() ?? []) {
        if ((key === 'apiVersion' || key === 'kind') && !rows?.some(([name]) => name === key)) continue;
        if (random() <= (depth > 9 ? 1 : depth > 6 ? 0.9 : depth > 2 ? 0.5 : 0.1)) continue;
        const value = generate(field.schema, random, depth + 1);
        if (value !== undefined) result[key] = value;
      }
      return result;
    }
    case 'list':
      return Array.from({ length: 1 + Math.floor(random() * 2) }, () =>
        generate(schema.items?.() as Schema, random, depth + 1),
      ).filter((v) => v !== undefined);
    case 'map':
      return Object.fromEntries(
        ['a', 'b.c/d', '__proto__']
          .slice(0, 1 + Math.floor(random() * 3))
          .map((key) => [key, generate(schema.items?.() as Schema, random, depth + 1)])
          .filter(([, v]) => v !== undefined),
      );
    case 'string':
      return ['x', 'ünïcode ✓', 'y'.repeat(200)][Math.floor(random() * 3)];
    case 'boolean':
      return true;
    case 'int32':
      return random() < 0.2 ? -small() : small() * 10_000_000;
    case 'int64':
    case 'integer':
      return random() < 0.2 ? -small() * 2 ** 33 : small() * 2 ** 40 + 7;
    case 'double':
      return small() / 3;
    case 'bytes':
      return Buffer.from(`bytes ${small()}`).toString('base64');
    case 'time':
      return '2024-02-03T04:05:06Z';
    case 'microTime':
      return '2024-02-03T04:05:06.123456Z';
    case 'quantity':
      return `${small()}Mi`;
    case 'intOrString':
      return random() < 0.5 ? small() : '25%';
    case 'rawObject':
    case 'any':
      // A struct without fields of its own.
      if (rowsOf(schema.name)?.length === 0) return {};
      return { nested: { key: [small(), null, 'x'] } };
  }
}

/** Mulberry32. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Lists that the generator left empty, and structs that hold nothing but them, are no matter of the codec. */
function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([k, v]) => [k, withoutEmpty(v)] as const);
  return Object.fromEntries(
    entries.filter(([, v]) => !(typeof v === 'object' && v !== null && Object.keys(v).length === 0)),
  );
}

const kinds = Object.entries(types).flatMap(([name, { gvk }]) => {
  if (!gvk) return [];
  const apiVersion = gvk[0] ? `${gvk[0]}/${gvk[1]}` : gvk[1];
  return messageOfKind(tables, apiVersion, gvk[2]) ? [{ name, apiVersion, kind: gvk[2] }] : [];
});

describe('protobuf', () => {
  it('knows the built-in kinds', () => {
    expect(kinds.length).toBeGreaterThan(150);
    expect(codec.supports('v1', 'Pod')).toBe(true);
    expect(codec.supports('policy/v1', 'DeleteOptions')).toBe(true);
    expect(codec.supports('example.com/v1', 'Foo')).toBe(false);
  });

  it('brings every kind back as it was', () => {
    fc.assert(
      fc.property(fc.nat(), fc.nat(kinds.length - 1), (seed, index) => {
        const { name, apiVersion, kind } = kinds[index] as (typeof kinds)[number];
        const object = { ...(generate(schemaOf(name) as Schema, seeded(seed), 0) as object), apiVersion, kind };
        const decoded = codec.decode(codec.encode(object));
        expect(withoutEmpty(decoded)).toEqual(withoutEmpty(object));
      }),
      { numRuns: 500 },
    );
  });

  it('writes what an independent implementation reads', () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'web', labels: { app: 'web' }, creationTimestamp: '2024-01-01T00:00:00Z', generation: 3 },
      spec: {
        containers: [
          {
            name: 'c',
            image: 'i',
            resources: { limits: { cpu: '500m' } },
            livenessProbe: { httpGet: { port: 'http' } },
          },
        ],
        volumes: [
          { name: 'v', emptyDir: { sizeLimit: '1Gi' } },
          { name: 'w', emptyDir: {} },
        ],
        priority: -5,
      },
    };
    const nested: Record<string, object> = {};
    const need = (message: string): string => {
      if (nested[message]) return message;
      const fields: Record<string, object> = {};
      nested[message] = { fields };
      for (const [name, id, type] of messages[message] ?? []) {
        const map = /^map<string, (.*)>$/.exec(type);
        const item = (map?.[1] ?? type.replace('[]', '')).replace(/^\./, '');
        const known = /^(string|bool|int32|int64|double|bytes)$/.test(item)
          ? item
          : need(messages[item] ? item : `${message.slice(0, message.lastIndexOf('.'))}.${item}`).replaceAll('.', '_');
        fields[name] = {
          id,
          type: known,
          ...(map ? { keyType: 'string' } : {}),
          ...(type.startsWith('[]') ? { rule: 'repeated' } : {}),
        };
      }
      return message;
    };
    need('k8s.io.api.core.v1.Pod');
    const root = protobufjs.Root.fromJSON({
      nested: Object.fromEntries(Object.entries(nested).map(([k, v]) => [k.replaceAll('.', '_'), v])),
    });
    const type = root.lookupType('k8s_io_api_core_v1_Pod');
    const { raw } = codec.unwrap(codec.encode(pod));
    const read = type.toObject(type.decode(raw), { longs: Number });
    expect(read).toMatchObject({
      metadata: { name: 'web', labels: { app: 'web' }, creationTimestamp: { seconds: 1704067200 }, generation: 3 },
      spec: {
        containers: [
          {
            name: 'c',
            resources: { limits: { cpu: { string: '500m' } } },
            livenessProbe: { handler: { httpGet: { port: { type: 1, strVal: 'http' } } } },
          },
        ],
        volumes: [
          { name: 'v', volumeSource: { emptyDir: { sizeLimit: { string: '1Gi' } } } },
          { name: 'w', volumeSource: { emptyDir: {} } },
        ],
        priority: -5,
      },
    });
    expect(codec.decodeMessage('k8s.io.api.core.v1.Pod', type.encode(type.fromObject(read)).finish())).toEqual({
      metadata: pod.metadata,
      spec: pod.spec,
    });
  });

  it('leaves out the zeros that Go writes for what is not set, and keeps those that mean something', () => {
    const spec = {
      replicas: 0,
      minReadySeconds: 0,
      paused: false,
      template: { spec: { containers: [{ name: '', image: '', tty: false }], hostUsers: false } },
    };
    expect(
      codec.decodeMessage(
        'k8s.io.api.apps.v1.DeploymentSpec',
        codec.encodeMessage('k8s.io.api.apps.v1.DeploymentSpec', spec),
      ),
    ).toEqual({
      replicas: 0,
      template: { spec: { containers: [{ name: '' }], hostUsers: false } },
    });
  });

  it('refuses malformed bytes and survives all others', () => {
    expect(() => codec.decode(Buffer.from('{}'))).toThrow('provided data does not appear to be a protobuf message');
    expect(() => codec.decode(codec.wrap('v1', 'Pod', Buffer.from([0x0a, 0xff, 0x01])))).toThrow('unexpected EOF');
    expect(() => codec.decode(codec.wrap('x/v1', 'Y', new Uint8Array()))).toThrow('no kind "Y" is registered');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), fc.nat(kinds.length - 1), (bytes, index) => {
        const { apiVersion, kind } = kinds[index] as (typeof kinds)[number];
        try {
          codec.decode(codec.wrap(apiVersion, kind, bytes));
        } catch (error) {
          expect(error).toMatchObject({ code: 400 });
        }
      }),
    );
  });
});
