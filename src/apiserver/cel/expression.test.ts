import { describe, expect, it } from 'vitest';
import { ExpressionCompiler } from './expression.ts';
import { jsonToCel } from './values.ts';

const self = jsonToCel({
  n: 5,
  d: 1.5,
  s: 'abc',
  list: [3, 1, 2],
  names: ['b', 'a'],
  map: { x: 1, y: 2 },
  nothing: null,
  metadata: { namespace: 'default' },
});
const compiler = new ExpressionCompiler(['self']);
const evaluate = (source: string, budget?: { left: number }) => compiler.compile(source).evaluate({ self }, budget);
const failure = (run: () => unknown): string => {
  try {
    run();
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('it should have failed');
};

describe('CEL expressions', () => {
  it.each([
    'self.metadata.namespace == "default"',
    'self.n % 2 == 1 && self.d > 1.0 && self.nothing == null',
    'self.?missing.orValue("x") == "x" && !has(self.missing)',
    'self.?n.optMap(v, v + 1).value() == 6 && !self.?missing.optMap(v, v + 1).hasValue()',
    '[1, 2].all(i, v, v > i) && self.map.exists(k, v, k == "y" && v == 2)',
    'self.map.transformList(k, v, v * 10) == [10, 20]',
    '!self.list.isSorted() && self.list.sum() == 6 && self.list.min() == 1 && self.list.max() == 3 && self.list.indexOf(2) == 2',
    'sets.contains(self.names, ["a"]) && sets.equivalent(self.names, ["a", "b", "b"]) && !sets.intersects(self.names, ["c"])',
    '"abc 123 45".find("[0-9]+") == "123" && "1 22 3".findAll("[0-9]+") == ["1", "22", "3"] && "abc".matches("^a.c$")',
    '"a-b-c".replace("-", "+") == "a+b+c" && "abc".charAt(1) == "b" && "%s=%d".format(["n", dyn(5)]) == "n=5"',
    'quantity("1Gi").isGreaterThan(quantity("500Mi")) && quantity("1").add(quantity("500m")).compareTo(quantity("1.5")) == 0 && isQuantity("1k")',
    'url("https://example.com:80/a?b=1").getHost() == "example.com:80" && url("https://example.com:80/a?b=1").getPort() == "80" && isURL("/path") && !isURL("a b")',
    'ip("::1").isLoopback() && ip("10.0.0.1").family() == 4 && isIP("1.2.3.4") && cidr("10.0.0.0/8").containsIP("10.1.2.3") && ip.isCanonical("::1")',
    'cidr("192.168.0.0/16").containsCIDR("192.168.10.0/24") && cidr("10.1.2.3/8").masked() == cidr("10.0.0.0/8") && cidr("::/0").prefixLength() == 0',
    'format.dns1123Label().validate("ok").hasValue() == false && format.named("uuid").value().validate("x").hasValue()',
    'semver("1.2.3").isGreaterThan(semver("1.2.3-rc.1")) && semver("v1.0", true).major() == 1 && isSemver("1.0.0")',
    'timestamp("2024-01-01T00:00:00Z") < timestamp("2024-01-02T00:00:00Z") && duration("1h") > duration("59m") && string(duration("90s")) == "90s"',
    '(self.n > 3 ? "big" : "small") == "big" && [1, 2, 3].filter(x, x > 1).map(x, x * 2) == [4, 6] && cel.bind(x, self.n, x * x) == 25',
    '[?self.?n, 7] == [5, 7] && [?self.?missing] == [] && {?"a": self.?missing, "b": 1} == {"b": 1}',
  ])('%s', (source) => {
    expect(evaluate(source)).toBe(true);
  });

  it('fail in the words of upstream', () => {
    expect(failure(() => evaluate('self.missing == 1'))).toBe('no such key: missing');
    expect(failure(() => evaluate('self.list[7] == 1'))).toBe('index out of bounds: 7');
    expect(failure(() => evaluate('self.n / 0 == 1'))).toBe('division by zero');
    expect(failure(() => compiler.compile('self.n =='))).toMatch(/^ERROR: <input>:1:\d+: Syntax error: /);
    expect(failure(() => compiler.compile('other == 1'))).toBe(
      "ERROR: <input>:1:1: undeclared reference to 'other' (in container '')\n | other == 1\n | ^",
    );
  });

  it('take a bounded number of steps', () => {
    const many = jsonToCel(Array.from({ length: 3000 }, (_, index) => index));
    const hostile = compiler.compile('self.all(a, self.all(b, self.all(c, a + b + c >= 0)))');
    const started = performance.now();
    expect(failure(() => hostile.evaluate({ self: many }))).toBe('operation cancelled: actual cost limit exceeded');
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(failure(() => evaluate('self.list.all(x, x > 0)', { left: 5 }))).toContain('cost limit exceeded');
    const slow = compiler.compile('self.matches("^(a|a)*$")');
    expect(slow.evaluate({ self: `${'a'.repeat(40)}!` })).toBe(false);
  });
});
