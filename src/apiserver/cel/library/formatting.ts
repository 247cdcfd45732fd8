import { Duration, UnsignedInt } from '@marcbachmann/cel-js/evaluator';
import { durationText } from './durations.ts';

/** As Go's `%g` with the fewest digits that tell the number. */
export function doubleText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (value === 0) return Object.is(value, -0) ? '-0' : '0';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

export function timestampText(time: Date): string {
  return time
    .toISOString()
    .replace(/\.000Z$/, 'Z')
    .replace(/(\.\d*?)0+Z$/, '$1Z');
}

const noFormat = (verb: string, type: string, what: string) =>
  new Error(
    `error during formatting: ${what ? `${what} clause can only be used on ${verb}` : `${verb}`}, was given ${type}`,
  );

/** `%s %d %f %e %b %o %x %X %%`, with a precision for `%f` and `%e`. */
export function format(text: string, values: readonly unknown[]): string {
  let next = 0;
  return text.replace(/%(?:\.(\d+))?([\s\S]?)/g, (_, precision: string | undefined, verb: string) => {
    if (verb === '%') return '%';
    if (next >= values.length) throw new Error(`index ${next} out of range`);
    const given = values[next++];
    const value = given instanceof UnsignedInt ? given.value : given;
    const digits = precision === undefined ? 6 : Math.min(Number(precision), 100);
    switch (verb) {
      case 's':
        return show(value, false);
      case 'd':
        if (typeof value === 'bigint') return String(value);
        if (typeof value === 'number' && !Number.isFinite(value)) return special(value);
        throw noFormat('integers', typeNameOf(value), 'decimal');
      case 'f':
        return special(number(value, 'fixed-point')) ?? number(value, 'fixed-point').toFixed(digits);
      case 'e':
        return (
          special(number(value, 'scientific notation')) ??
          number(value, 'scientific notation')
            .toExponential(digits)
            .replace(/e([+-])(\d)$/, 'e$10$2')
        );
      case 'b':
        if (typeof value === 'boolean') return String(Number(value));
        if (typeof value === 'bigint') return value.toString(2);
        throw noFormat('integers and bools', typeNameOf(value), 'binary');
      case 'o':
        if (typeof value === 'bigint') return value.toString(8);
        throw noFormat('integers', typeNameOf(value), 'octal');
      case 'x':
      case 'X': {
        const hex = hexOf(value);
        return verb === 'X' ? hex.toUpperCase() : hex;
      }
    }
    throw new Error(
      verb === ''
        ? 'unexpected end of string'
        : `could not parse formatting clause: unrecognized formatting clause "${verb}"`,
    );
  });
}

function special(value: number): string;
function special(value: number): string | undefined;
function special(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  if (Number.isFinite(value)) return undefined;
  return value > 0 ? '∞' : '-∞';
}

function number(value: unknown, clause: string): number {
  if (typeof value === 'number') return value;
  throw noFormat('doubles', typeNameOf(value), clause);
}

function hexOf(value: unknown): string {
  if (typeof value === 'bigint') return value.toString(16);
  if (typeof value === 'string' || value instanceof Uint8Array) return Buffer.from(value as string).toString('hex');
  throw noFormat('integers, byte buffers, and strings', typeNameOf(value), 'hex');
}

/** The type of a value, as `type(value)` shows it. */
export function typeNameOf(value: unknown): string {
  switch (typeof value) {
    case 'string':
      return 'string';
    case 'boolean':
      return 'bool';
    case 'bigint':
      return 'int';
    case 'number':
      return 'double';
  }
  if (value === null) return 'null_type';
  if (Array.isArray(value)) return 'list';
  if (value instanceof Uint8Array) return 'bytes';
  if (value instanceof Date) return 'google.protobuf.Timestamp';
  return value instanceof Duration ? 'google.protobuf.Duration' : 'map';
}

/** `inside` lists and maps values are written as expressions have them. */
function show(given: unknown, inside: boolean): string {
  const value = given instanceof UnsignedInt ? given.value : given;
  const quoted = (text: string, name = '') => (inside ? `${name}(${JSON.stringify(text)})` : text);
  if (typeof value === 'string') return inside ? JSON.stringify(value) : value;
  if (typeof value === 'number') {
    if (!inside) return doubleText(value);
    return Number.isFinite(value) ? value.toFixed(6) : JSON.stringify(special(value));
  }
  if (typeof value !== 'object' || value === null) return String(value);
  if (value instanceof Date) return quoted(timestampText(value), 'timestamp');
  if (value instanceof Duration) return quoted(durationText(value), 'duration');
  if (Array.isArray(value)) return `[${value.map((item) => show(item, true)).join(', ')}]`;
  if (value instanceof Uint8Array) {
    const text = Buffer.from(value).toString();
    return inside ? `b${JSON.stringify(text)}` : text;
  }
  if (value instanceof Map)
    return `{${[...value]
      .map(([key, item]) => `${show(key, true)}:${show(item, true)}`)
      .sort()
      .join(', ')}}`;
  // Of types the name.
  if ('name' in value) return String(value.name);
  throw new Error(
    `error during formatting: string clause can only be used on strings, bools, bytes, ints, doubles, maps, lists, types, durations, and timestamps, was given ${value.constructor.name}`,
  );
}
