import { describe, expect, it } from 'vitest';
import type { JSONSchemaProps } from '../../../api/types/apiextensions.v1.gen.ts';
import { ValueValidator } from './value-validator.ts';

const found = (properties: Record<string, JSONSchemaProps>, value: object, root: Partial<JSONSchemaProps> = {}) =>
  new ValueValidator({ type: 'object', properties, ...root }).validate(value).map(String);

describe('validation by a JSON schema', () => {
  it('tells the first thing that is wrong with a text, and its format beside', () => {
    const text = { type: 'string', maxLength: 3, minLength: 2, pattern: '^a', format: 'ipv4' } as const;
    expect(found({ a: text }, { a: 'bbbb' })).toEqual([
      'a: Too long: may not be more than 3 bytes',
      'a: Invalid value: "bbbb": a in body must be of type ipv4: "bbbb"',
    ]);
    expect(found({ a: { ...text, format: undefined } as never }, { a: 'bbb' })).toEqual([
      `a: Invalid value: "bbb": a in body should match '^a'`,
    ]);
  });

  it('tells of a value of the wrong type what else is wrong with it', () => {
    expect(found({ a: { type: 'string', enum: ['x'] as never, maximum: 3 } }, { a: 4 })).toEqual([
      'a: Invalid value: "integer": a in body must be of type string: "integer"',
      'a: Invalid value: 4: a in body should be less than or equal to 3',
      'a: Unsupported value: 4: supported values: "x"',
    ]);
  });

  it('looks into an object of a fitting size alone, at what is required last', () => {
    const root = { required: ['b'], maxProperties: 1 };
    expect(found({ a: { type: 'string' } }, { a: 1, c: 2 }, root)).toEqual([
      '<nil>: Too many: 2: must have at most 1 items',
    ]);
    expect(found({ a: { type: 'string' } }, { a: 1 }, root)).toEqual([
      'a: Invalid value: "integer": a in body must be of type string: "integer"',
      'b: Required value',
    ]);
  });

  it('looks at the items of a list before their number', () => {
    expect(found({ a: { type: 'array', maxItems: 1, items: { type: 'string' } } }, { a: ['x', 1] })).toEqual([
      'a[1]: Invalid value: "integer": a[1] in body must be of type string: "integer"',
      'a: Too many: 2: must have at most 1 items',
    ]);
  });
});
