import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FieldPath } from './field.ts';
import { parseFieldSelector } from './fields.ts';
import { labelSelectorMatcher, parseLabelSelector, validateLabelSelector, validateLabels } from './labels.ts';

describe('label selectors', () => {
  it.each([
    ['', {}, true],
    ['app=web', { app: 'web' }, true],
    ['app==web', { app: 'db' }, false],
    ['app!=web', {}, true],
    ['app', { app: '' }, true],
    ['!app', { app: '' }, false],
    ['app in (a, b),tier notin (x)', { app: 'b' }, true],
    ['app in (a,)', { app: '' }, true],
    ['in in (in,notin)', { in: 'notin' }, true],
    ['size>3,size<10', { size: '5' }, true],
    ['size>3', { size: 'big' }, false],
    ['app=', { app: '' }, true],
    ['constructor', {}, false],
  ])('%s on %j is %s', (text, labels, matches) => expect(parseLabelSelector(text).matches(labels)).toBe(matches));

  it.each([
    ['a b', "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt"],
    ['a=b=c', "found '=', expected: ',' or 'end of string'"],
    ['a,', "found '', expected: identifier after ','"],
    ['=a', "found '=', expected: !, identifier, or 'end of string'"],
    ['a in b', "unable to parse requirement: found 'b' expected: '('"],
    [
      'a in ()',
      `unable to parse requirement: values: Invalid value: []: for 'in', 'notin' operators, values set can't be empty`,
    ],
    ['-a', /^unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of/],
    ['a=-b', /^unable to parse requirement: values\[0\]\[a\]: Invalid value: "-b": a valid label must be/],
    [
      'a>b',
      `unable to parse requirement: values[0]: Invalid value: "b": for 'Gt', 'Lt' operators, the value must be an integer`,
    ],
  ])('refuses %s', (text, message) => expect(() => parseLabelSelector(text)).toThrow(message));

  it('reads what it prints', () => {
    const word = fc.stringMatching(/^[a-z]{1,4}$/);
    const term = fc.oneof(
      fc.tuple(word, fc.constantFrom('=', '!='), word).map((parts) => parts.join('')),
      fc
        .tuple(word, fc.constantFrom('in', 'notin'), fc.array(word, { minLength: 1, maxLength: 3 }))
        .map(([key, operator, values]) => `${key} ${operator} (${values.join(',')})`),
      word,
      word.map((key) => `!${key}`),
    );
    fc.assert(
      fc.property(fc.array(term, { maxLength: 4 }), fc.dictionary(word, word), (terms, labels) => {
        const selector = parseLabelSelector(terms.join(','));
        const again = parseLabelSelector(selector.toString());
        expect(again.toString()).toBe(selector.toString());
        expect(again.matches(labels)).toBe(selector.matches(labels));
      }),
    );
  });

  it('never fails but with a StatusError', () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom(...'ab=!(),<> in') }), (text) => {
        try {
          parseLabelSelector(text);
        } catch (error) {
          expect(error).toMatchObject({ code: 400 });
        }
      }),
    );
  });

  it('reads the selectors of objects', () => {
    expect(labelSelectorMatcher(undefined).matches({ a: 'b' })).toBe(false);
    expect(labelSelectorMatcher({}).matches(undefined)).toBe(true);
    const selector = labelSelectorMatcher({
      matchLabels: { b: '1' },
      matchExpressions: [{ key: 'a', operator: 'NotIn', values: ['y', 'x'] }],
    });
    expect(selector.toString()).toBe('a notin (x,y),b=1');
    expect(() => labelSelectorMatcher({ matchExpressions: [{ key: 'a', operator: 'Is' }] })).toThrow(
      '"Is" is not a valid label selector operator',
    );
  });

  it('validates', () => {
    expect(validateLabels({ 'a/b/c': 'x', ok: 'a b' }, FieldPath.of('metadata', 'labels')).map(String)).toEqual([
      expect.stringMatching(/^metadata.labels: Invalid value: "a\/b\/c": a valid label key must consist/),
      expect.stringMatching(/^metadata.labels: Invalid value: "a b": a valid label must be an empty string or/),
    ]);
    expect(
      validateLabelSelector({ matchExpressions: [{ key: 'a', operator: 'In' }] }, FieldPath.of('spec', 'selector')).map(
        String,
      ),
    ).toEqual([
      "spec.selector.matchExpressions[0].values: Required value: must be specified when `operator` is 'In' or 'NotIn'",
    ]);
  });
});

describe('field selectors', () => {
  it('matches, escapes and prints', () => {
    const selector = parseFieldSelector('metadata.name=a\\,b,spec.nodeName!=n1,,status.phase==Running');
    expect(selector.toString()).toBe('metadata.name=a\\,b,spec.nodeName!=n1,status.phase=Running');
    expect(selector.matches((field) => ({ 'metadata.name': 'a,b', 'status.phase': 'Running' })[field])).toBe(true);
    expect(parseFieldSelector('spec.nodeName=').matches(() => undefined)).toBe(true);
    expect(() => parseFieldSelector('abc')).toThrow("invalid selector: 'abc'; can't understand 'abc'");
    expect(() => parseFieldSelector('a=b=c')).toThrow('invalid field selector: unescaped character in value: =');
  });
});
