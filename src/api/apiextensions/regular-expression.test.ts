import vm from 'node:vm';
import { describe, expect, it, vi } from 'vitest';
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
    ['(?i)^é$', 'É', true],
    ['^.$', '\u{1f600}', true],
    ['^[[:^alpha:]]\\101$', '1A', true],
  ])('%s of %j', (pattern, text, matches) => {
    expect(compileRegularExpression(pattern).test(text)).toBe(matches);
  });

  it.each(['a(b', 'a)', '(?=a)b', '(?<!a)b', '(a)\\1', '[[:nope:]]', '[', '[a-', 'a\\', 'a{1001}', '\\Z'])(
    'refuse %s',
    (pattern) => {
      expect(() => compileRegularExpression(pattern)).toThrow(SyntaxError);
    },
  );

  it('take time linear in the text', () => {
    const text = `${'a'.repeat(9000)}!`;
    for (const pattern of ['^(a|a)*$', '(?i)^(a+)+$', '^((a{1,30})+)+$'])
      expect(compileRegularExpression(pattern).test(text)).toBe(false);
  });

  it('are given up when a text is too long for them, and are left alone for a while', () => {
    const slow = compileRegularExpression('^a+$');
    const text = 'a'.repeat(20_000);
    const tries = vi.spyOn(vm, 'runInNewContext').mockImplementationOnce(() => {
      throw Object.assign(new Error('timed out'), { code: 'ERR_SCRIPT_EXECUTION_TIMEOUT' });
    });
    for (let times = 0; times < 3; times++) expect(() => slow.test(text)).toThrow(ExpressionTooSlow);
    expect(tries).toHaveBeenCalledOnce();
    expect(slow.test('aaa')).toBe(true);
    tries.mockRestore();
    expect(compileRegularExpression('^a+$').test(text)).toBe(true);
  });
});
