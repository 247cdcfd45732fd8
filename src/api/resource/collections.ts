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

export function validateMap<T>(
  path: FieldPath,
  map: Readonly<Record<string, T>> | undefined,
  max: number,
  validateKey: (path: FieldPath, key: string) => FieldError[],
  validate: (path: FieldPath, item: T) => FieldError[],
): FieldError[] {
  const entries = Object.entries(map ?? {});
  if (entries.length > max) return [tooMany(path, entries.length, max)];
  return entries.flatMap(([key, item]) => {
    const at = path.key(key);
    return [...validateKey(at, key), ...validate(at, item)];
  });
}
