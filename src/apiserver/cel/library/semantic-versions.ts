import type { Environment } from '@marcbachmann/cel-js';

class SemverValue {
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly pre: readonly string[];

  constructor(numbers: readonly [bigint, bigint, bigint], pre: readonly string[]) {
    this.numbers = numbers;
    this.pre = pre;
  }
}

const number = '(0|[1-9]\\d*)';
const strict = new RegExp(
  `^${number}\\.${number}\\.${number}(?:-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);

/** `semver('1.2.3')`, by the specification of Semantic Versioning 2.0.0. */
export function registerSemanticVersions(environment: Environment): void {
  const type = 'kubernetes.Semver';
  environment.registerType(type, { ctor: SemverValue as never });
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  const required = (text: string, normalize = false) => {
    const value = parse(text, normalize);
    if (!value) throw new Error('No Major.Minor.Patch elements found');
    return value;
  };
  add(`semver(string): ${type}`, (text: string) => required(text));
  add(`semver(string, bool): ${type}`, (text: string, normalize: boolean) => required(text, normalize));
  add('isSemver(string): bool', (text: string) => parse(text, false) !== undefined);
  add('isSemver(string, bool): bool', (text: string, normalize: boolean) => parse(text, normalize) !== undefined);
  for (const [index, name] of ['major', 'minor', 'patch'].entries())
    add(`${type}.${name}(): int`, (a: SemverValue) => a.numbers[index]!);
  add(`${type}.isGreaterThan(${type}): bool`, (a: SemverValue, b: SemverValue) => compare(a, b) > 0);
  add(`${type}.isLessThan(${type}): bool`, (a: SemverValue, b: SemverValue) => compare(a, b) < 0);
  add(`${type}.compareTo(${type}): int`, (a: SemverValue, b: SemverValue) => BigInt(compare(a, b)));
  environment.registerOperator(
    `${type} == ${type}`,
    ((a: SemverValue, b: SemverValue) => compare(a, b) === 0) as never,
  );
}

function parse(text: string, normalize: boolean): SemverValue | undefined {
  const match = strict.exec(normalize ? normalized(text) : text);
  if (!match) return undefined;
  const pre = match[4]?.split('.') ?? [];
  if (pre.some((part) => /^0\d+$/.test(part))) return undefined;
  return new SemverValue([BigInt(match[1]!), BigInt(match[2]!), BigInt(match[3]!)], pre);
}

/** `v01.2` is `1.2.0`. */
function normalized(text: string): string {
  const [, core = '', rest = ''] = /^v?([\d.]*)(.*)$/.exec(text.trim()) ?? [];
  const parts = core.split('.').map((part) => part.replace(/^0+(?=\d)/, ''));
  if (parts.length < 3 && rest === '') while (parts.length < 3) parts.push('0');
  return parts.join('.') + rest;
}

function compare(a: SemverValue, b: SemverValue): number {
  for (const index of [0, 1, 2] as const) {
    const [x, y] = [a.numbers[index], b.numbers[index]];
    if (x !== y) return x < y ? -1 : 1;
  }
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length);
  for (let index = 0; index < Math.max(a.pre.length, b.pre.length); index++) {
    const [x, y] = [a.pre[index], b.pre[index]];
    if (x === undefined || y === undefined) return x === undefined ? -1 : 1;
    if (x === y) continue;
    const [xn, yn] = [/^\d+$/.test(x), /^\d+$/.test(y)];
    if (xn && yn) return BigInt(x) < BigInt(y) ? -1 : 1;
    if (xn !== yn) return xn ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return 0;
}
