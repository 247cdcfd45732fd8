import type { Environment } from '@marcbachmann/cel-js';
import { type Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import {
  compileRegularExpression,
  ExpressionTooSlow,
  type RegularExpression,
} from '../../../api/apiextensions/regular-expression.ts';

class StringsNamespace {}

const MAX_TEXT = 1024 * 1024;
const MAX_EXPRESSIONS = 200;

/** Kubernetes' and the extensions' functions on strings, and conversions to them. */
export function registerStrings(environment: Environment): void {
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  const expressions = new Map<string, RegularExpression>();
  const expression = (pattern: string) => {
    let known = expressions.get(pattern);
    if (!known) {
      known = compiled(pattern);
      if (expressions.size >= MAX_EXPRESSIONS) expressions.clear();
      expressions.set(pattern, known);
    }
    return known;
  };
  const findAll = (text: string, pattern: string, limit = -1n) =>
    within(() => expression(pattern).findAll(text, limit < 0n ? Number.POSITIVE_INFINITY : Number(limit)));
  add('matches(string, string): bool', (text: string, pattern: string) => within(() => expression(pattern).test(text)));
  add('string.find(string): string', (text: string, pattern: string) =>
    within(() => expression(pattern).find(text) ?? ''),
  );
  add('string.findAll(string): list<string>', findAll as never);
  add('string.findAll(string, int): list<string>', findAll as never);
  add('string.charAt(int): string', (text: string, at: bigint) => {
    const letters = [...text];
    if (at < 0n || at > BigInt(letters.length)) throw new Error(`index out of range: ${at}`);
    return letters[Number(at)] ?? '';
  });
  add('string.replace(string, string): string', (text: string, from: string, to: string) =>
    bounded(text.split(from).join(to)),
  );
  add('string.replace(string, string, int): string', (text: string, from: string, to: string, limit: bigint) => {
    if (limit < 0n) return bounded(text.split(from).join(to));
    const parts = text.split(from);
    const count = Math.min(Number(limit), parts.length - 1);
    return bounded(
      parts.slice(0, count + 1).join(to) +
        parts
          .slice(count + 1)
          .map((part) => from + part)
          .join(''),
    );
  });
  add('string.reverse(): string', (text: string) => [...text].reverse().join(''));
  add('string.format(list): string', (text: string, values: unknown[]) => bounded(format(text, values)));
  environment.registerType('StringsNamespace', StringsNamespace as never);
  environment.registerConstant('strings', 'StringsNamespace', new StringsNamespace() as never);
  add('StringsNamespace.quote(string): string', (_: unknown, text: string) => JSON.stringify(text));

  add('string(google.protobuf.Timestamp): string', timestampText);
  add('string(google.protobuf.Duration): string', String);
  add('int(google.protobuf.Timestamp): int', (time: Date) => BigInt(Math.floor(time.getTime() / 1000)));
  add(
    'int(google.protobuf.Duration): int',
    (duration: Duration) => duration.seconds * 1_000_000_000n + BigInt(duration.nanos),
  );
  add('timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp', (time: Date) => time);
  add('duration(google.protobuf.Duration): google.protobuf.Duration', (duration: Duration) => duration);
}

/** A text that takes too long costs what an expression may. */
function within<T>(run: () => T): T {
  try {
    return run();
  } catch (error) {
    throw error instanceof ExpressionTooSlow ? new Error('operation cancelled: actual cost limit exceeded') : error;
  }
}

function compiled(pattern: string): RegularExpression {
  try {
    return compileRegularExpression(pattern);
  } catch (error) {
    throw new Error(`error parsing regexp: ${(error as Error).message}`);
  }
}

function bounded(text: string): string {
  if (text.length > MAX_TEXT) throw new Error('operation cancelled: actual cost limit exceeded');
  return text;
}

export function timestampText(time: Date): string {
  return time
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replace(/(\.\d*?)0+Z$/, '$1Z');
}

/** `%s %d %f %e %b %o %x %X %%`, with a precision for `%f` and `%e`. */
function format(text: string, values: readonly unknown[]): string {
  let next = 0;
  return text.replace(/%(?:\.(\d+))?(.)/g, (clause, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    const given = values[next++];
    const value = given instanceof UnsignedInt ? given.value : given;
    const digits = precision === undefined ? 6 : Math.min(Number(precision), 100);
    switch (verb) {
      case 's':
        return show(value);
      case 'd':
        if (typeof value === 'bigint' || typeof value === 'number') return String(value);
        break;
      case 'f':
        return Number(value).toFixed(digits);
      case 'e':
        return Number(value)
          .toExponential(digits)
          .replace(/e([+-])(\d)$/, 'e$10$2');
      case 'b':
        return typeof value === 'boolean' ? String(Number(value)) : (value as bigint).toString(2);
      case 'o':
        return (value as bigint).toString(8);
      case 'x':
      case 'X': {
        const hex =
          typeof value === 'bigint' ? value.toString(16) : Buffer.from(value as string | Uint8Array).toString('hex');
        return verb === 'X' ? hex.toUpperCase() : hex;
      }
    }
    throw new Error(`error during formatting: unrecognized formatting clause ${JSON.stringify(clause)}`);
  });
}

function show(value: unknown): string {
  if (typeof value === 'string') return value;
  if (value === null) return 'null';
  if (value instanceof Date) return timestampText(value);
  if (Array.isArray(value)) return `[${value.map(show).join(', ')}]`;
  if (value instanceof Uint8Array) return Buffer.from(value).toString();
  const entries = value instanceof Map ? [...value] : isPlain(value) ? Object.entries(value) : undefined;
  if (entries)
    return `{${entries
      .map(([key, item]) => `${show(key)}: ${show(item)}`)
      .sort()
      .join(', ')}}`;
  // Of types the name.
  if (typeof value === 'object' && 'name' in value) return String(value.name);
  return String(value);
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
