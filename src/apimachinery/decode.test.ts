import { describe, expect, it } from 'vitest';
import { decodeJson, decodeYaml } from './decode.ts';

describe('JSON', () => {
  it.each([
    ['', 'unexpected end of JSON input'],
    ['{"a":', 'unexpected end of JSON input'],
    ['x', "invalid character 'x' looking for beginning of value"],
    ['{a:1}', "invalid character 'a' looking for beginning of object key string"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ['[1 2]', "invalid character '2' after array element"],
    ['{} x', "invalid character 'x' after top-level value"],
    ['{"a":tru3}', "invalid character '3' in literal true (expecting 'e')"],
    ['{"a":"\n"}', "invalid character '\\n' in string literal"],
    ['{"a":1.}', "invalid character '}' after decimal point in numeric literal"],
    ['[1,]', "invalid character ']' looking for beginning of value"],
  ])('refuses %j as Go does', (text, message) =>
    expect(() => decodeJson(text)).toThrow(`couldn't get version/kind; json parse error: ${message}`),
  );

  it('finds duplicate fields where asked', () => {
    const text = '{"spec":{"a":1,"list":[{"b":"x:\\"}","b":2}],"a":3},"spec ":{}}';
    expect(decodeJson(text).duplicateFields).toEqual([]);
    expect(decodeJson(text, { duplicates: true })).toEqual({
      value: { spec: { a: 3, list: [{ b: 2 }] }, 'spec ': {} },
      duplicateFields: ['duplicate field "spec.list[0].b"', 'duplicate field "spec.a"'],
    });
  });

  it('bounds what it says of duplicate fields', () => {
    const twice = Array.from({ length: 5000 }, (_, i) => `"k${i}":1,"k${i}":2`).join();
    const { duplicateFields } = decodeJson(`{"${'p'.repeat(100_000)}":{${twice}}}`, { duplicates: true });
    expect(duplicateFields.length).toBeLessThanOrEqual(100);
    expect(duplicateFields.join().length).toBeLessThan(1_200_000);
  });

  it('bounds the depth and keeps __proto__ a plain key', () => {
    expect(() => decodeJson('['.repeat(5000) + ']'.repeat(5000))).toThrow('exceeded max depth');
    expect(() => decodeJson('['.repeat(500000))).toThrow('unexpected end of JSON input');
    const { value } = decodeJson('{"__proto__":{"admin":true}}');
    expect(Object.keys(value as object)).toEqual(['__proto__']);
    expect((value as { admin?: boolean }).admin).toBeUndefined();
  });
});

describe('YAML', () => {
  it('reads scalars as Kubernetes does', () => {
    const { value } = decodeYaml(
      'yes: no\non: y\n1: 0o7\noct: 0777\ntime: 2020-01-01\nclock: 1:30\nq: "yes"\nnil: ~\nf: 1e3\nbase: &b {x: 1}\nmerged:\n  <<: *b\n  z: 2\n',
    );
    expect(value).toEqual({
      true: true,
      1: 7,
      oct: 511,
      time: '2020-01-01',
      clock: '1:30',
      q: 'yes',
      nil: null,
      f: 1000,
      base: { x: 1 },
      merged: { x: 1, z: 2 },
    });
  });

  it.each([
    ['e1', 'e1'],
    ['1e400', '1e400'],
    ['08', 8],
    ['-0x1F', -31],
    ['0b11', 3],
    ['1_000', 1000],
    ['.5', 0.5],
    ['5.', 5],
    ['1.2.3', '1.2.3'],
    ['0x', '0x'],
    ['0x1ffffffffffffffff', '0x1ffffffffffffffff'],
    ['18446744073709551615', 2 ** 64],
  ])('takes %s for what Go does', (text, value) => {
    expect(decodeYaml(`a: ${text}\n`).value).toEqual({ a: value });
  });

  it('reads the first document', () => {
    expect(decodeYaml('---\na: 1\n---\nb: 2\n').value).toEqual({ a: 1 });
    expect(decodeYaml('').value).toBeNull();
    expect(decodeYaml('{"a": [1, "x"]}').value).toEqual({ a: [1, 'x'] });
  });

  it('reports what is wrong', () => {
    expect(() => decodeYaml('a: b: c')).toThrow(
      'error converting YAML to JSON: yaml: mapping values are not allowed in this context',
    );
    expect(() => decodeYaml('a: *nope')).toThrow("unknown anchor 'nope' referenced");
    expect(() => decodeYaml('a: .inf')).toThrow('json: unsupported value: +Inf');
    expect(decodeYaml('a: 1\nb: 2\na: 3\n', { duplicates: true })).toEqual({
      value: { a: 3, b: 2 },
      duplicateFields: ['yaml: unmarshal errors:\n  line 3: key "a" already set in map'],
    });
  });

  it('refuses a billion laughs and deep nesting', () => {
    let bomb = 'a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n';
    for (let i = 1; i < 10; i++)
      bomb += `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(',')}]\n`;
    expect(() => decodeYaml(bomb)).toThrow('document contains excessive aliasing');
    expect(() => decodeYaml('['.repeat(3000) + ']'.repeat(3000))).toThrow('error converting YAML to JSON');
    expect(Object.keys(decodeYaml('__proto__: {a: 1}').value as object)).toEqual(['__proto__']);
  });
});
