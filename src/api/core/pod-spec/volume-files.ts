import { type FieldError, type FieldPath, invalidValue, required } from '../../../apimachinery/field.ts';
import type { DownwardAPIVolumeFile, KeyToPath } from '../../types/core.v1.gen.ts';
import { validateResourceFieldRef, validateVolumeFieldRef } from './env.ts';
import { validateFileMode, validateFileName } from './paths.ts';

/** The keys of a ConfigMap or Secret that become files; `from`: the index of the first of them. */
export function validateItems(items: readonly KeyToPath[] | undefined, path: FieldPath, from = 0): FieldError[] {
  return (items ?? []).flatMap((item, index) => {
    const at = path.index(from + index);
    return [
      ...(item.key ? [] : [required(at.child('key'))]),
      ...(item.path ? validateFileName(item.path, at.child('path')) : [required(at.child('path'))]),
      ...validateFileMode(item.mode, at.child('mode')),
    ];
  });
}

export function validateDownwardFile(file: DownwardAPIVolumeFile, path: FieldPath): FieldError[] {
  const errors = file.path ? validateFileName(file.path, path.child('path')) : [required(path.child('path'))];
  if (file.fieldRef) {
    errors.push(...validateVolumeFieldRef(file.fieldRef, path.child('fieldRef')));
    if (file.resourceFieldRef)
      errors.push(invalidValue(path, 'resource', 'fieldRef and resourceFieldRef can not be specified simultaneously'));
  } else if (file.resourceFieldRef) {
    errors.push(...validateResourceFieldRef(file.resourceFieldRef, path.child('resourceFieldRef'), true));
  } else errors.push(required(path, 'one of fieldRef and resourceFieldRef is required'));
  errors.push(...validateFileMode(file.mode, path.child('mode')));
  return errors;
}
