import { describe, expect, it } from 'vitest';
import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { FieldPath } from '../../apimachinery/field.ts';
import { checkSchemaRules } from './check-schema-rules.ts';

const rule = (text: string, more: object = {}) => ({ 'x-kubernetes-validations': [{ rule: text, ...more }] });
const problems = (spec: object) =>
  checkSchemaRules(FieldPath.of('schema'), { type: 'object', properties: { spec } } as JSONSchemaProps).map(String);

const tooDear =
  /estimated rule cost exceeds budget by factor of (more than 100x|[\d.]+x) \(try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared\)/;

describe('the estimated cost of rules', () => {
  it('counts how long strings and lists can be', () => {
    const list = (text: object, bounds: object = {}) => ({
      type: 'array',
      ...bounds,
      items: { type: 'string', ...text, ...rule("self.matches('^[a-z]+$')") },
    });
    expect(problems(list({}))[0]).toMatch(tooDear);
    expect(problems(list({ maxLength: 63 }, { maxItems: 100 }))).toEqual([]);
    expect(problems({ type: 'string', ...rule("self.matches('^[a-z]+$')") })).toEqual([]);
    expect(problems({ type: 'array', items: { type: 'string' }, ...rule('self.all(x, x.contains("a"))') })[0]).toMatch(
      tooDear,
    );
    expect(problems({ type: 'array', items: { type: 'integer', ...rule('self > 0') } })).toEqual([]);
  });

  it('bounds what lists in lists hold by the size of a request', () => {
    const inner = {
      type: 'object',
      required: ['name'],
      properties: { name: { type: 'string' } },
      ...rule('has(self.name)'),
    };
    const lists = { type: 'array', items: { type: 'array', items: { type: 'array', items: inner } } };
    expect(problems(lists)).toEqual([]);
  });

  it('names the rules that the limit of the whole schema is exceeded by', () => {
    const properties: Record<string, object> = { cheap: { type: 'integer', ...rule('self > 50 && self < 100') } };
    // Each is below the limit of one rule.
    for (let index = 0; index < 14; index++)
      properties[`map${index}`] = {
        type: 'object',
        maxProperties: 10000,
        additionalProperties: { type: 'string', maxLength: 2048, ...rule("self.contains('keyword')") },
      };
    const found = problems({ type: 'object', properties });
    const contributed =
      'Forbidden: contributed to estimated rule & messageExpression cost total exceeding cost limit for entire OpenAPIv3 schema';
    expect(found.slice(0, 4)).toEqual(
      [0, 1, 2, 3].map(
        (index) =>
          `schema.properties[spec].properties[map${index}].additionalProperties.x-kubernetes-validations[0].rule: ${contributed}`,
      ),
    );
    expect(found.slice(4)).toEqual([
      expect.stringContaining(
        'schema: Forbidden: x-kubernetes-validations estimated rule & messageExpression cost total for entire OpenAPIv3 schema exceeds budget by factor of 1.',
      ),
    ]);
  });
});

describe('the fieldPath of a rule', () => {
  const spec = (fieldPath: string) => ({
    type: 'object',
    properties: {
      a: { type: 'object', properties: { b: { type: 'string' }, 'c.d': { type: 'string' } } },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      list: { type: 'array', items: { type: 'string' } },
    },
    ...rule('has(self.a)', { fieldPath }),
  });

  it.each(['.a', '.a.b', ".a['c.d']", ".labels['x/y']", '.labels.x', '.list'])('%s leads to a field', (path) => {
    expect(problems(spec(path))).toEqual([]);
  });

  const none = 'does not refer to a valid field';
  it.each([
    ['.x', none],
    ['.a.x', none],
    ['.list[0]', 'expected single quoted string but got 0'],
    ['.a.b.c', none],
    ['.a.', 'unexpected end of JSON path'],
    [".a['x']", none],
    ['.a[b]', 'expected single quoted string but got b'],
    ['a', 'expected [ or . but got: a'],
  ])('%s does not', (path, why) => {
    expect(problems(spec(path))).toEqual([
      `schema.properties[spec].x-kubernetes-validations[0].fieldPath: Invalid value: ${JSON.stringify(path)}: fieldPath must be a valid path: ${why}`,
    ]);
  });

  it('and the rule as a whole are in the messages', () => {
    expect(problems({ type: 'object', ...rule('1 > "a"') })).toEqual([
      'schema.properties[spec].x-kubernetes-validations[0].rule: Invalid value: {"Rule":"1 \\u003e \\"a\\"","Message":"","MessageExpression":"","Reason":null,"FieldPath":"","OptionalOldSelf":null}: compilation failed: ERROR: <input>:1:3: found no matching overload for \'_>_\' applied to \'(int, string)\'\n | 1 > "a"\n | ..^',
    ]);
  });
});
