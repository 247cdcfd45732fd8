import { describe, expect, it } from 'vitest';
import type { JSONSchemaProps } from '../../api/types/apiextensions.v1.gen.ts';
import { RuleCompiler } from './rule-compiler.ts';
import { typeOfSchema } from './schema-types.ts';
import { analyse } from './static-check.ts';

const costOf = (props: object, rule: string) =>
  analyse(new RuleCompiler().compile({ rule }, rule), new Map([['self', typeOfSchema(props as JSONSchemaProps)]])).cost;

const scalars: Readonly<Record<string, object>> = {
  number: { type: 'number' },
  string: { type: 'string' },
  boolean: { type: 'boolean' },
  'int-or-string': { 'x-kubernetes-int-or-string': true },
  duration: { type: 'string', format: 'duration' },
  date: { type: 'string', format: 'date' },
  'date-time': { type: 'string', format: 'date-time' },
  numbers: { type: 'array', items: { type: 'number' } },
  'number map': { type: 'object', additionalProperties: { type: 'number' } },
  object: {
    type: 'object',
    required: ['required'],
    properties: { required: { type: 'string' }, optional: { type: 'string' } },
  },
};
const all = 'self.all(x, true)';
type Case = readonly [item: string, rule: string, unbounded: number, most: number, bounded: number];

/** The figures are those of Kubernetes' own tests. */
describe('the estimated cost of an expression', () => {
  it.each<Case>([
    ['number', all, 4718591, 10, 32],
    ['string', all, 3145727, 20, 62],
    ['boolean', all, 1887437, 5, 17],
    ['numbers', all, 3145727, 100, 302],
    ['object', all, 555128, 50, 152],
    ['int-or-string', all, 4718591, 10, 32],
    ['duration', all, 2359295, 5, 17],
    ['date', all, 725936, 15, 47],
    ['date-time', all, 428963, 25, 77],
    ['number', 'self[1] == 0.0', 2, 5000, 2],
    ['string', 'self[1] == self[1]', 314577, 8, 314577],
    ['number', 'self.all(x, x == 0.0)', 6291454, 3 * 1024 * 2048, 25165826],
    ['int-or-string', 'self[0] == 5', 3, 10, 3],
    ['boolean', 'self[0] == false', 2, 25, 2],
    ['object', 'self[0] == null', 2, 422, 2],
    ['numbers', 'self[0][0] == -1.0', 3, 51, 3],
    ['number map', 'self.all(x, x.y == 25.2)', 6291452, 12, 74],
    ['number map', 'self[0].x > 2.0', 4, 3000, 4],
    ['duration', 'self[0].getHours() == 2', 4, 525, 4],
    ['date', 'self[2].getDayOfMonth() == 13', 4, 42, 4],
  ])('over a list of %s, of %s', (item, rule, unbounded, most, bounded) => {
    const list = { type: 'array', items: scalars[item] };
    expect([costOf(list, rule), costOf({ ...list, maxItems: most }, rule)]).toEqual([unbounded, bounded]);
  });

  it.each<Case>([
    ['number', all, 1348169, 10, 32],
    ['string', all, 1179647, 3, 11],
    ['boolean', all, 943718, 100, 302],
    ['int-or-string', all, 1348169, 15, 47],
    ['object', all, 428963, 20, 62],
    ['number map', all, 1179647, 10, 32],
    ['numbers', all, 1179647, 25, 77],
    ['duration', all, 1048577, 5, 17],
    ['number', 'has(self.x)', 0, 100, 0],
    ['number', 'self["x"] == 0.0', 2, 0, 2],
    ['string', 'self.all(x, x.contains(self[x]))', 2752507, 10, 72],
  ])('over a map of %s, of %s', (item, rule, unbounded, most, bounded) => {
    const map = { type: 'object', additionalProperties: scalars[item] };
    expect([costOf(map, rule), costOf({ ...map, maxProperties: most }, rule)]).toEqual([unbounded, bounded]);
  });

  it.each<Case>([
    ['', "self.contains('test')", 314574, 10, 5],
    ['', "self.startsWith('test')", 2, 15, 2],
    ['', "self.endsWith('test')", 2, 30, 2],
    ['', 'size(self + "hello") > size("hello")', 314578, 4, 7],
    ['', 'self.matches("x")', 314574, 50, 22],
    ['', '"".matches("(((((((((())))))))))[0-9]")', 7, 10, 7],
    ['', 'self.matches("")', 1, 100, 1],
    ['', 'self == "x"', 2, 0, 1],
  ])('over a text%s, of %s', (_, rule, unbounded, most, bounded) => {
    expect([costOf({ type: 'string' }, rule), costOf({ type: 'string', maxLength: most }, rule)]).toEqual([
      unbounded,
      bounded,
    ]);
  });

  it('multiplies loops in loops', () => {
    const list = { type: 'array', items: { type: 'number' }, maxItems: 10 };
    expect(costOf(list, 'self.all(x, self.all(y, true))')).toBe(352);
    expect(costOf(list, 'self.all(x, self.all(y, self.all(z, true)))')).toBe(3552);
  });
});
