import { describe, expect, it } from 'vitest';
import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { SchemaRules } from './schema-rules.ts';

const check = (spec: object, object: object, old?: object) =>
  new SchemaRules({ type: 'object', properties: { spec } } as JSONSchemaProps)
    .validate({ spec: object }, old && { spec: old })
    .map(String);

describe('validation rules', () => {
  it('compare with the old value, which an optional rule does without', () => {
    const rules = (rule: string, more: object = {}) => ({
      type: 'object',
      properties: { n: { type: 'integer' } },
      'x-kubernetes-validations': [{ rule, message: 'never less', ...more }],
    });
    const plain = rules('self.n >= oldSelf.n');
    expect(check(plain, { n: 1 })).toEqual([]);
    expect(check(plain, { n: 1 }, { n: 2 })).toEqual(['spec: Invalid value: "object": never less']);
    const optional = rules('oldSelf.hasValue() ? self.n >= oldSelf.value().n : self.n == 1', { optionalOldSelf: true });
    expect(check(optional, { n: 1 })).toEqual([]);
    expect(check(optional, { n: 2 })).toEqual(['spec: Invalid value: "object": never less']);
    expect(check(optional, { n: 3 }, { n: 2 })).toEqual([]);
  });

  it('see the names of the object, and restrict them where the schema has them', () => {
    const rules = new SchemaRules({
      type: 'object',
      properties: {
        metadata: {
          type: 'object',
          properties: { name: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self.size() < 4' }] } },
        },
      },
      'x-kubernetes-validations': [{ rule: 'self.metadata.name.startsWith("a")', fieldPath: '.metadata.name' }],
    } as JSONSchemaProps);
    expect(rules.validate({ metadata: { name: 'bold' } }).map(String)).toEqual([
      'metadata.name: Invalid value: "object": failed rule: self.metadata.name.startsWith("a")',
      'metadata.name: Invalid value: "bold": failed rule: self.size() < 4',
    ]);
  });

  it('let faults be that were there before', () => {
    const spec = {
      type: 'object',
      properties: {
        a: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self != "bad"' }] },
        b: { type: 'string' },
      },
    };
    expect(check(spec, { a: 'bad' })).toEqual(['spec.a: Invalid value: "bad": failed rule: self != "bad"']);
    expect(check(spec, { a: 'bad', b: 'new' }, { a: 'bad', b: 'old' })).toEqual([]);
  });

  it('share one budget, after which no more are run', () => {
    const spec = (...rules: string[]) => ({
      type: 'object',
      properties: {
        list: {
          type: 'array',
          items: { type: 'integer' },
          'x-kubernetes-validations': [...rules, 'false'].map((rule) => ({ rule })),
        },
      },
    });
    const list = Array.from({ length: 200 }, (_, index) => index);
    const dear = 'self.all(a, self.all(b, self.all(c, a + b + c >= 0)))';
    expect(check(spec(dear, dear), { list })).toEqual([
      `spec.list: Invalid value: "array": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: ${dear}`,
    ]);
    const many = Array.from({ length: 20 }, () => 'self.all(a, self.all(b, a + b >= 0))');
    expect(check(spec(...many), { list })).toEqual([
      'spec.list: Invalid value: "array": validation failed due to running out of cost budget, no further validation rules will be run',
    ]);
  });
});
