import { type FieldError, type FieldPath, forbiddenField, invalidValue } from '../../../apimachinery/field.ts';
import { validateLabelName } from '../../../apimachinery/labels.ts';
import type { LabelSelector } from '../../../apimachinery/meta.ts';

interface Keyed {
  readonly labelSelector?: LabelSelector;
  readonly matchLabelKeys?: readonly string[];
  readonly mismatchLabelKeys?: readonly string[];
}

/** The keys whose values a pod is compared by: of a selector, not in it, and not both wanted and unwanted. */
export function validateLabelKeys(term: Keyed, path: FieldPath): FieldError[] {
  const { labelSelector, matchLabelKeys = [], mismatchLabelKeys = [] } = term;
  if (matchLabelKeys.length === 0 && mismatchLabelKeys.length === 0) return [];
  const errors: FieldError[] = [];
  for (const field of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const keys = term[field] ?? [];
    const at = path.child(field);
    if (keys.length > 0 && !labelSelector)
      errors.push(forbiddenField(at, 'must not be specified when labelSelector is not set'));
    else
      keys.forEach((key, index) => {
        errors.push(...validateLabelName(key, at.index(index)));
      });
  }
  if (labelSelector) {
    const selected = new Set(Object.keys(labelSelector.matchLabels ?? {}));
    for (const { key } of labelSelector.matchExpressions ?? []) {
      // The requirement that creation made of the key itself is the first of its key; another one is the client's.
      const index = matchLabelKeys.lastIndexOf(key);
      if (index >= 0 && selected.has(key))
        errors.push(invalidValue(path.index(index), key, 'exists in both matchLabelKeys and labelSelector'));
      selected.add(key);
    }
  }
  matchLabelKeys.forEach((key, index) => {
    if (mismatchLabelKeys.includes(key))
      errors.push(
        invalidValue(
          path.child('matchLabelKeys').index(index),
          key,
          'exists in both matchLabelKeys and mismatchLabelKeys',
        ),
      );
  });
  return errors;
}
