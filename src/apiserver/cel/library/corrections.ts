import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import type { SyntaxNode } from '../syntax.ts';
import { durationOfNanos, nanosOf, parseDuration } from './durations.ts';
import { celEqual } from './equality.ts';
import type { Patterns } from './patterns.ts';
import { type Correction, correctedStrings } from './string-corrections.ts';
import { localTime, timeParts } from './time-zones.ts';

type Values = readonly unknown[];
type Handler = (...args: unknown[]) => unknown;

const MAX_INT = 9_223_372_036_854_775_807n;
const MIN_INT = -9_223_372_036_854_775_808n;

/** After an expression was checked: where the library computes other values than CEL's specification, cel-go's are taken. */
export function correct(node: SyntaxNode, patterns: Patterns): void {
  const checked = node as SyntaxNode & { handle?: Handler };
  const { handle, op } = checked;
  if (!handle) return;
  if (op === 'call' || op === 'rcall') {
    const name = `${op === 'call' ? '' : '.'}${(node.args as [string])[0]}`;
    const correction = name === '.matches' ? matching(patterns) : corrections[name];
    if (!correction) return;
    checked.handle = (args, second, third) => {
      const call = (values: Values) => correction(values) ?? handle(values, second, third);
      return args instanceof Promise ? args.then(call) : call(args as Values);
    };
  } else if (op === '-_') checked.handle = (value, second, third) => inRange(handle(value, second, third));
  else if (op in operators) {
    const operator = operators[op]!;
    checked.handle = (left, right, third, fourth) =>
      operator(left, right) ?? inRange(handle(left, right, third, fourth));
  }
}

/** The library would have the engine of JavaScript match, which takes a hostile pattern forever. */
function matching(patterns: Patterns): Correction {
  return ([text, pattern]) =>
    typeof text === 'string' && typeof pattern === 'string' ? patterns.matches(text, pattern) : undefined;
}

function inRange(value: unknown): unknown {
  if (typeof value === 'bigint' && (value > MAX_INT || value < MIN_INT)) throw new Error('integer overflow');
  return value;
}

const isContainer = (value: unknown) =>
  Array.isArray(value) || value instanceof Map || value instanceof UnsignedInt || value instanceof Duration;

const operators: Readonly<Record<string, (left: unknown, right: unknown) => unknown>> = Object.assign(
  Object.create(null),
  {
    '==': (a: unknown, b: unknown) => (isContainer(a) && isContainer(b) ? celEqual(a, b) : undefined),
    '!=': (a: unknown, b: unknown) => (isContainer(a) && isContainer(b) ? !celEqual(a, b) : undefined),
    in: (item: unknown, list: unknown) =>
      Array.isArray(list) ? list.some((other) => celEqual(item, other)) : undefined,
    '/': () => undefined,
    '+': (a: unknown, b: unknown) =>
      a instanceof Duration && b instanceof Duration ? durationOfNanos(nanosOf(a) + nanosOf(b)) : undefined,
    '-': (a: unknown, b: unknown) =>
      a instanceof Duration && b instanceof Duration ? durationOfNanos(nanosOf(a) - nanosOf(b)) : undefined,
  },
);

/** By name; methods after a dot. */
const corrections: Readonly<Record<string, Correction>> = Object.assign(Object.create(null), {
  ...correctedStrings,
  int: conversion('int', parseInteger, (value) => inRange(BigInt(Math.trunc(finite(value))))),
  uint: conversion('uint', parseUnsigned, (value) => new UnsignedInt(unsigned(BigInt(Math.trunc(finite(value)))))),
  double: conversion('double', parseDouble),
  bool: conversion('bool', (text) => booleans.get(text)),
  duration: conversion('google.protobuf.Duration', parseDuration),
  timestamp: conversion('google.protobuf.Timestamp', parseTime),
  ...Object.fromEntries(
    Object.entries(timeParts).map(([name, part]) => [
      `.${name}`,
      ([time, zone = '']: Values) =>
        time instanceof Date && typeof zone === 'string' ? BigInt(part(localTime(time, zone))) : undefined,
    ]),
  ),
});

/** From texts, and numbers that may not fit. */
function conversion(
  type: string,
  parse: (text: string) => unknown,
  fromDouble?: (value: number) => unknown,
): Correction {
  return ([value]) => {
    if (typeof value === 'number') return fromDouble?.(value);
    if (typeof value === 'bigint' && type === 'uint') return new UnsignedInt(unsigned(value));
    if (value instanceof UnsignedInt && type === 'int') return inRange(value.value);
    if (typeof value !== 'string') return undefined;
    const result = parse(value);
    if (result === undefined) throw new Error(`type conversion error from 'string' to '${type}'`);
    return result;
  };
}

function finite(value: number): number {
  if (!Number.isFinite(value)) throw new Error('integer overflow');
  return value;
}

function unsigned(value: bigint): bigint {
  if (value < 0n || value > 18_446_744_073_709_551_615n) throw new Error('unsigned integer overflow');
  return value;
}

function parseInteger(text: string): bigint | undefined {
  if (!/^[+-]?\d+$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ''));
  return value > MAX_INT || value < MIN_INT ? undefined : value;
}

function parseUnsigned(text: string): UnsignedInt | undefined {
  return /^\d+$/.test(text) && BigInt(text) <= 18_446_744_073_709_551_615n ? new UnsignedInt(BigInt(text)) : undefined;
}

function parseDouble(text: string): number | undefined {
  const infinity = /^([+-]?)inf(inity)?$/i.exec(text);
  if (infinity) return infinity[1] === '-' ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  if (/^nan$/i.test(text)) return Number.NaN;
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  return Number.isFinite(value) ? value : undefined;
}

const booleans: ReadonlyMap<string, boolean> = new Map([
  ...['1', 't', 'T', 'TRUE', 'true', 'True'].map((text) => [text, true] as const),
  ...['0', 'f', 'F', 'FALSE', 'false', 'False'].map((text) => [text, false] as const),
]);

/** RFC 3339. */
export function parseTime(text: string): Date | undefined {
  if (!/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/.test(text)) return undefined;
  const time = new Date(text);
  const day = Number(text.slice(8, 10));
  // Days that a month does not have would become those of the next.
  const daysInMonth = new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate();
  return Number.isNaN(time.getTime()) || day > daysInMonth ? undefined : time;
}
