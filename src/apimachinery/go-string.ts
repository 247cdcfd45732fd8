import { isDictionary } from './schema-walk.ts';

/** JSON data as Go's `%+v` prints it, which some messages quote: `map[a:1 b:[x y]]`. */
export function goString(value: unknown): string {
  if (value === null || value === undefined) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(goString).join(' ')}]`;
  if (!isDictionary(value)) return String(value);
  const members = Object.keys(value).sort();
  return `map[${members.map((key) => `${key}:${goString(value[key])}`).join(' ')}]`;
}
