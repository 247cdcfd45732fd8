import { BYTES, malformed, type Reader, type ReverseWriter, VARINT } from './wire.ts';

/** Messages whose JSON form is a scalar. All functions deal with the content of the message, without tag and length. */

export function writeStringMessage(writer: ReverseWriter, value: unknown): void {
  writeStringField(writer, 1, String(value));
}

export function readStringMessage(reader: Reader): string {
  let text = '';
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1 && wireType === BYTES) text = reader.string();
    else reader.skip(wireType);
  }
  return text;
}

function writeStringField(writer: ReverseWriter, number: number, text: string): void {
  const before = writer.length;
  writer.string(text);
  writer.varint(writer.length - before);
  writer.tag(number, BYTES);
}

export function writeTime(writer: ReverseWriter, value: unknown): void {
  const text = String(value);
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw malformed(`parsing time ${JSON.stringify(text)}`);
  const fraction = /\.(\d+)/.exec(text)?.[1] ?? '';
  writer.varint(Number(fraction.padEnd(9, '0').slice(0, 9)));
  writer.tag(2, VARINT);
  writer.varint(Math.floor(ms / 1000));
  writer.tag(1, VARINT);
}

/** `undefined`: the zero time. */
export function readTime(reader: Reader, micro: boolean): string | undefined {
  if (reader.done) return undefined;
  let seconds = 0;
  let nanos = 0;
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1 && wireType === VARINT) seconds = reader.int64();
    else if (number === 2 && wireType === VARINT) nanos = reader.int32();
    else reader.skip(wireType);
  }
  const date = new Date(seconds * 1000);
  if (Number.isNaN(date.getTime())) throw malformed('proto: time out of range');
  const text = date.toISOString().slice(0, -5);
  return micro ? `${text}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z` : `${text}Z`;
}

export function writeIntOrString(writer: ReverseWriter, value: unknown): void {
  const isText = typeof value === 'string';
  writeStringField(writer, 3, isText ? value : '');
  writer.varint(isText ? 0 : (value as number));
  writer.tag(2, VARINT);
  writer.varint(isText ? 1 : 0);
  writer.tag(1, VARINT);
}

export function readIntOrString(reader: Reader): number | string {
  let isText = false;
  let number = 0;
  let text = '';
  while (!reader.done) {
    const tag = reader.tag();
    if (tag.number === 1 && tag.wireType === VARINT) isText = reader.int64() === 1;
    else if (tag.number === 2 && tag.wireType === VARINT) number = reader.int32();
    else if (tag.number === 3 && tag.wireType === BYTES) text = reader.string();
    else reader.skip(tag.wireType);
  }
  return isText ? text : number;
}

export function writeRaw(writer: ReverseWriter, value: unknown): void {
  writeStringField(writer, 1, JSON.stringify(value));
}

export function readRaw(reader: Reader): unknown {
  let value: unknown;
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1 && wireType === BYTES) {
      const bytes = reader.bytes();
      if (bytes.length === 0) continue;
      try {
        value = JSON.parse(bytes.toString('utf8'));
      } catch {
        throw malformed('json parse error: the raw value is not JSON');
      }
    } else reader.skip(wireType);
  }
  return value;
}

const units: readonly (readonly [unit: string, nanos: number])[] = [
  ['h', 3600e9],
  ['m', 60e9],
  ['ms', 1e6],
  ['s', 1e9],
  ['us', 1e3],
  ['µs', 1e3],
  ['ns', 1],
];

export function writeDuration(writer: ReverseWriter, value: unknown): void {
  let nanos = 0;
  for (const [, number, unit] of String(value).matchAll(/([0-9.]+)(ms|us|µs|ns|h|m|s)/g))
    nanos += Number(number) * (units.find(([name]) => name === unit)?.[1] ?? 0);
  writer.varint(Math.round(String(value).startsWith('-') ? -nanos : nanos));
  writer.tag(1, VARINT);
}

export function readDuration(reader: Reader): string {
  let nanos = 0;
  while (!reader.done) {
    const { number, wireType } = reader.tag();
    if (number === 1 && wireType === VARINT) nanos = reader.int64();
    else reader.skip(wireType);
  }
  if (nanos === 0) return '0s';
  const magnitude = Math.abs(nanos);
  const sign = nanos < 0 ? '-' : '';
  if (magnitude < 1e9) return `${sign}${magnitude < 1e6 ? `${magnitude / 1e3}µs` : `${magnitude / 1e6}ms`}`;
  const hours = Math.floor(magnitude / 3600e9);
  const minutes = Math.floor((magnitude % 3600e9) / 60e9);
  const seconds = (magnitude % 60e9) / 1e9;
  return `${sign}${hours > 0 ? `${hours}h` : ''}${hours > 0 || minutes > 0 ? `${minutes}m` : ''}${seconds}s`;
}
