import { duplicate, type FieldError, type FieldPath, tooMany } from '../../apimachinery/field.ts';

/** A list of at most `max` items; nothing more is said of one that is too long. */
export function validateList<T>(
  path: FieldPath,
  items: readonly T[] | undefined,
  max: number,
  validate: (path: FieldPath, item: T) => FieldError[],
  keyOf?: (item: T) => unknown,
): FieldError[] {
  const given = items ?? [];
  if (given.length > max) return [tooMany(path, given.length, max)];
  const errors = given.flatMap((item, index) => validate(path.index(index), item));
  if (!keyOf) return errors;
  const seen = new Set<unknown>();
  given.forEach((item, index) => {
    const key = keyOf(item);
    if (seen.has(key)) errors.push(duplicate(path.index(index), key));
    seen.add(key);
  });
  return errors;
}

/**
 * A map of at most `max` items. What is wrong with a key is said of the map. Keys that are longer than `maxKeyLength`
 * may be are shortened in the paths of their items.
 */
export function validateMap<T>(
  path: FieldPath,
  map: Readonly<Record<string, T>> | undefined,
  max: number,
  maxKeyLength: number,
  validateKey: (path: FieldPath, key: string) => FieldError[],
  validate: (path: FieldPath, item: T) => FieldError[],
): FieldError[] {
  const entries = Object.entries(map ?? {});
  if (entries.length > max) return [tooMany(path, entries.length, max)];
  return entries.flatMap(([key, item]) => [
    ...validateKey(path, key),
    ...validate(path.key(shortened(key, maxKeyLength)), item),
  ]);
}

/** Keys that are too long lose their middle in paths. */
function shortened(key: string, max: number): string {
  if (key.length <= max) return key;
  const remaining = max - 3;
  return `${key.slice(0, Math.ceil(remaining / 2))}...${key.slice(key.length - Math.floor(remaining / 2))}`;
}
