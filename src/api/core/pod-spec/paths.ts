import { type FieldError, type FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';

/** A path below some directory: relative, and without a way up. */
export function validateLocalPath(path: string, at: FieldPath): FieldError[] {
  const errors = path.startsWith('/') ? [invalidValue(at, path, 'must be a relative path')] : [];
  return [...errors, ...validatePathNoBacksteps(path, at)];
}

export function validatePathNoBacksteps(path: string, at: FieldPath): FieldError[] {
  return path.split('/').includes('..') ? [invalidValue(at, path, "must not contain '..'")] : [];
}

/** A local path that does not begin with `..` either: such names are the volume writer's own. */
export function validateFileName(path: string, at: FieldPath): FieldError[] {
  const errors = validateLocalPath(path, at);
  if (path.startsWith('..') && !path.startsWith('../')) errors.push(invalidValue(at, path, "must not start with '..'"));
  return errors;
}

/** The permission bits of a file, 0 to 0777. */
export function validateFileMode(mode: number | undefined, at: FieldPath): FieldError[] {
  return mode !== undefined && (mode < 0 || mode > 0o777)
    ? [invalidValue(at, mode, 'must be a number between 0 and 0777 (octal), both inclusive')]
    : [];
}

export const requireText = (value: string | undefined, at: FieldPath): FieldError[] => (value ? [] : [required(at)]);
