import { TextDecoder } from 'node:util';
import { doubleText } from './formatting.ts';

/** What takes the place of a function of the library; `undefined` leaves it to the library. */
export type Correction = (values: readonly unknown[]) => unknown;

const isText = (value: unknown): value is string => typeof value === 'string';

/** Only then does an index not count characters. */
const hasSurrogates = (text: string) => /[\ud800-\udfff]/.test(text);

function outOfRange(index: bigint): Error {
  return new Error(`index out of range: ${index}`);
}

function substring(text: string, start: bigint, end: bigint | undefined): string {
  const letters = hasSurrogates(text) ? [...text] : text;
  const { length } = letters;
  if (end !== undefined && start > end) throw new Error(`invalid substring range. start: ${start}, end: ${end}`);
  if (start < 0n || start > length) throw outOfRange(start);
  if (end !== undefined && (end < 0n || end > length)) throw outOfRange(end);
  const part = letters.slice(Number(start), end === undefined ? length : Number(end));
  return typeof part === 'string' ? part : part.join('');
}

function indexOf(text: string, wanted: string, from: bigint | undefined, last: boolean): bigint {
  const length = BigInt(hasSurrogates(text) ? [...text].length : text.length);
  if (from !== undefined && (from < 0n || from > length)) throw outOfRange(from);
  if (wanted === '') return from ?? (last ? length : 0n);
  if (!hasSurrogates(text))
    return BigInt(
      last
        ? text.lastIndexOf(wanted, from === undefined ? undefined : Number(from))
        : text.indexOf(wanted, Number(from ?? 0n)),
    );
  const letters = [...text];
  const units = (count: number) => letters.slice(0, count).join('').length;
  const start = from === undefined ? undefined : units(Number(from));
  const found = last ? text.lastIndexOf(wanted, start) : text.indexOf(wanted, start);
  return found < 0 ? -1n : BigInt([...text.slice(0, found)].length);
}

/** As Go's `strings.Replace` of an empty text, which is around every letter. */
function insertAround(text: string, to: string, limit: bigint): string {
  const letters = [...text];
  const most = limit < 0n ? letters.length + 1 : Math.min(Number(limit), letters.length + 1);
  return (
    letters.map((letter, index) => (index < most ? to + letter : letter)).join('') + (most > letters.length ? to : '')
  );
}

/** Methods of texts whose library versions count UTF-16 units, know other letters, or fail in other words. */
export const correctedStrings: Readonly<Record<string, Correction>> = {
  '.lowerAscii': ([text]) => (isText(text) ? text.replace(/[A-Z]+/g, (part) => part.toLowerCase()) : undefined),
  '.upperAscii': ([text]) => (isText(text) ? text.replace(/[a-z]+/g, (part) => part.toUpperCase()) : undefined),
  '.substring': ([text, start, end]) =>
    isText(text) ? substring(text, start as bigint, end as bigint | undefined) : undefined,
  '.indexOf': ([text, wanted, from]) =>
    isText(text) && isText(wanted) ? indexOf(text, wanted, from as bigint | undefined, false) : undefined,
  '.lastIndexOf': ([text, wanted, from]) =>
    isText(text) && isText(wanted) ? indexOf(text, wanted, from as bigint | undefined, true) : undefined,
  '.split': ([text, separator, limit]) =>
    separator === '' && isText(text) && (limit === undefined || (limit as bigint) < 0n) ? [...text] : undefined,
  '.replace': ([text, from, to, limit]) =>
    from === '' && isText(text) && isText(to)
      ? insertAround(text, to, (limit as bigint | undefined) ?? -1n)
      : undefined,
  string: ([value]) => {
    if (typeof value === 'number') return doubleText(value);
    return value instanceof Uint8Array ? utf8(value) : undefined;
  },
};

function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new Error('invalid UTF-8 in bytes, cannot convert to string');
  }
}
