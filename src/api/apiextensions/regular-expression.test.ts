import { describe, expect, it } from 'vitest';
import { compileRegularExpression, ExpressionTooSlow } from './regular-expression.ts';

describe('regular expressions', () => {
  it.each([
    ['(?i)^ab[c-e]$', 'AbD', true],
    ['^(?i:a)b$', 'AB', false],
    ['^[[:alpha:]_]+\\z', 'ab_', true],
    ['\\A\\Qa.b\\E$', 'axb', false],
    ['^.$', '\u2028', true],
    ['(?s)^.$', '\n', true],
    ['(?m)^b$', 'a\nb', true],
    ['^\\p{Greek}+$', 'αβγ', true],
    ['^\\s$', '\u00a0', false],
    ['^(?P<year>\\d{4})-\\x{31}$', '2024-1', true],
    ['^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$', 'a-b', true],
    ['a{2}/[]/]', 'aa/]', true],
  ])('%s of %j', (pattern, text, matches) => {
    expect(compileRegularExpression(pattern).test(text)).toBe(matches);
  });

  it.each(['a(b', 'a)', '(?=a)b', '(?<!a)b', '(a)\\1', '[[:nope:]]', '[', '[a-', 'a\\', 'a{1001}', '\\Z'])(
    'refuse %s',
    (pattern) => {
      expect(() => compileRegularExpression(pattern)).toThrow(SyntaxError);
    },
  );

  it('take a bounded time', () => {
    const text = `${'a'.repeat(60)}!`;
    expect(compileRegularExpression('^(a|a)*$').test(text)).toBe(false);
    expect(compileRegularExpression('(?i)^(a+)+$').test(text)).toBe(false);
    const slow = compileRegularExpression('^((a{1,30})+)+$');
    const started = performance.now();
    for (let times = 0; times < 1000; times++) expect(() => slow.test(text)).toThrow(ExpressionTooSlow);
    expect(performance.now() - started).toBeLessThan(1000);
  });
});
