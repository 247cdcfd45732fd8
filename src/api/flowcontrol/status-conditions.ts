import { duplicate, type FieldError, FieldPath, required } from '../../apimachinery/field.ts';

const path = FieldPath.of('status', 'conditions');

export function validateStatusConditions(conditions: readonly { readonly type?: string }[] | undefined): FieldError[] {
  const seen = new Set<string>();
  return (conditions ?? []).flatMap(({ type = '' }, index) => {
    const at = path.index(index).child('type');
    const errors = seen.has(type) ? [duplicate(at, type)] : [];
    seen.add(type);
    return type === '' ? [...errors, required(at)] : errors;
  });
}
