import { describe, expect, it } from 'vitest';
import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { SchemaRules } from './schema-rules.ts';

const find = async (spec: object, object: unknown, old?: unknown) => {
  const rules = new SchemaRules({ type: 'object', properties: { spec } } as JSONSchemaProps);
  const { errors, warnings } = await rules.validate({ spec: object }, old === undefined ? undefined : { spec: old });
  return { errors: errors.map(String), warnings };
};
const check = async (...args: Parameters<typeof find>) => (await find(...args)).errors;
const validations = (...rules: (string | object)[]) => ({
  'x-kubernetes-validations': rules.map((rule) => (typeof rule === 'string' ? { rule } : rule)),
});

describe('validation rules', () => {
  it('compare with the old value, which an optional rule does without', async () => {
    const rules = (rule: string, more: object = {}) => ({
      type: 'object',
      properties: { n: { type: 'integer' } },
      ...validations({ rule, message: 'never less', ...more }),
    });
    const plain = rules('self.n >= oldSelf.n');
    expect(await check(plain, { n: 1 })).toEqual([]);
    expect(await check(plain, { n: 1 }, { n: 2 })).toEqual(['spec: Invalid value: never less']);
    const optional = rules('oldSelf.hasValue() ? self.n >= oldSelf.value().n : self.n == 1', { optionalOldSelf: true });
    expect(await check(optional, { n: 1 })).toEqual([]);
    expect(await check(optional, { n: 2 })).toEqual(['spec: Invalid value: never less']);
    expect(await check(optional, { n: 3 }, { n: 2 })).toEqual([]);
  });

  it('see the names of the object, and restrict them where the schema has them', async () => {
    const rules = new SchemaRules({
      type: 'object',
      properties: {
        metadata: { type: 'object', properties: { name: { type: 'string', ...validations('self.size() < 4') } } },
      },
      ...validations({ rule: 'self.metadata.name.startsWith("a")', fieldPath: '.metadata.name' }),
    } as JSONSchemaProps);
    expect((await rules.validate({ metadata: { name: 'bold' } })).errors.map(String)).toEqual([
      'metadata.name: Invalid value: failed rule: self.metadata.name.startsWith("a")',
      'metadata.name: Invalid value: "bold": failed rule: self.size() < 4',
    ]);
  });

  it('excuse what did not change with a warning, but no transition and no failed evaluation', async () => {
    const item = {
      type: 'object',
      properties: { k: { type: 'string' }, v: { type: 'string', ...validations('self != "bad"') } },
    };
    const list = (type?: string) => ({
      type: 'array',
      items: item,
      ...(type ? { 'x-kubernetes-list-type': type, 'x-kubernetes-list-map-keys': ['k'] } : {}),
    });
    const failed = 'Invalid value: "bad": failed rule: self != "bad"';
    const spec = (more: object) => ({ type: 'object', properties: { a: more, b: { type: 'string' } } });
    const bad = { k: '1', v: 'bad' };
    const before = { a: [bad], b: 'old' };
    expect(await find(spec(list()), before)).toEqual({ errors: [`spec.a[0].v: ${failed}`], warnings: [] });
    // The list as a whole is what it was.
    expect(await find(spec(list()), { a: [bad], b: 'new' }, before)).toEqual({
      errors: [],
      warnings: [`spec.a[0].v: ${failed}`],
    });
    // Only keys tell which item it was.
    const longer = { ...before, a: [{ k: '0' }, bad] };
    expect(await check(spec(list()), longer, before)).toEqual([`spec.a[1].v: ${failed}`]);
    expect(await find(spec(list('map')), longer, before)).toEqual({ errors: [], warnings: [`spec.a[1].v: ${failed}`] });
    expect(await check(spec({ ...list('map'), ...validations('self.size() < 1') }), longer, longer)).toEqual([]);
    const never = {
      type: 'object',
      properties: { n: { type: 'integer' } },
      ...validations('self != oldSelf', 'self.n > 0'),
    };
    expect(await check(never, {}, {})).toEqual([
      'spec: Invalid value: failed rule: self != oldSelf',
      'spec: Invalid value: "object": no such key: n evaluating rule: self.n > 0',
    ]);
  });

  it('of allOf count, and atomic maps have no old values', async () => {
    const all = {
      type: 'object',
      properties: { n: { type: 'integer' } },
      allOf: [{ properties: { n: validations('self > 1') } }],
    };
    expect(await check(all, { n: 1 })).toEqual(['spec.n: Invalid value: 1: failed rule: self > 1']);
    const map = (type: string) => ({
      type: 'object',
      'x-kubernetes-map-type': type,
      additionalProperties: {
        type: 'integer',
        ...validations({ rule: 'self > oldSelf', reason: 'FieldValueDuplicate' }),
      },
    });
    expect(await check(map('granular'), { a: 1 }, { a: 1 })).toEqual(['spec[a]: Duplicate value: 1']);
    expect(await check(map('atomic'), { a: 1 }, { a: 1 })).toEqual([]);
  });

  it('share one budget, after which no more are run, and let others have their turn', async () => {
    const spec = (...rules: string[]) => ({
      type: 'object',
      properties: { list: { type: 'array', items: { type: 'integer' }, ...validations(...rules, 'false') } },
    });
    const list = Array.from({ length: 350 }, (_, index) => index);
    const dear = 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))';
    expect(await check(spec(dear, dear), { list })).toEqual([
      `spec.list: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${dear}`,
    ]);
    const many = Array.from({ length: 20 }, () => 'self.all(a, self.all(b, a + b >= 0))');
    let turns = 0;
    const others = setInterval(() => turns++);
    expect(await check(spec(...many), { list })).toEqual([
      'spec.list: Invalid value: "array": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
    clearInterval(others);
    expect(turns).toBeGreaterThan(5);
  });
});
