import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import type { PolicyRule } from '../types/rbac.v1.gen.ts';

/** `namespaced`: the rules of a Role, which cannot speak of URLs. */
export function validateRules(rules: readonly PolicyRule[] | undefined, namespaced: boolean): FieldError[] {
  return (rules ?? []).flatMap((rule, index) => validateRule(FieldPath.of('rules').index(index), rule, namespaced));
}

function validateRule(path: FieldPath, rule: PolicyRule, namespaced: boolean): FieldError[] {
  const { verbs = [], apiGroups = [], resources = [], resourceNames = [], nonResourceURLs = [] } = rule;
  const errors = verbs.length === 0 ? [required(path.child('verbs'), 'verbs must contain at least one value')] : [];
  if (nonResourceURLs.length > 0) {
    const urls = path.child('nonResourceURLs');
    if (namespaced)
      errors.push(invalidValue(urls, nonResourceURLs, 'namespaced rules cannot apply to non-resource URLs'));
    if (apiGroups.length + resources.length + resourceNames.length > 0)
      errors.push(
        invalidValue(urls, nonResourceURLs, 'rules cannot apply to both regular resources and non-resource URLs'),
      );
    return errors;
  }
  if (apiGroups.length === 0)
    errors.push(required(path.child('apiGroups'), 'resource rules must supply at least one api group'));
  if (resources.length === 0)
    errors.push(required(path.child('resources'), 'resource rules must supply at least one resource'));
  return errors;
}
