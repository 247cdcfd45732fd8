import { type FieldError, FieldPath, required } from '../../apimachinery/field.ts';
import { hasInvalidLabelValue, validateLabelSelector } from '../../apimachinery/labels.ts';
import { nameColumn } from '../columns.ts';
import { createdAtColumn } from '../created-at-column.ts';
import { defineKind } from '../define.ts';
import type { AggregationRule, ClusterRole } from '../types/rbac.v1.gen.ts';
import { validateRules } from './rules.ts';

export const clusterRole = defineKind<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  nameFormat: 'path',
  createOnUpdate: true,
  validate: (object, old) => [
    ...validateRules(object.rules, false),
    ...validateAggregation(object.aggregationRule, old?.aggregationRule),
  ],
  columns: [nameColumn, createdAtColumn],
});

function validateAggregation(rule: AggregationRule | undefined, old: AggregationRule | undefined): FieldError[] {
  if (!rule) return [];
  const path = FieldPath.of('aggregationRule', 'clusterRoleSelectors');
  const selectors = rule.clusterRoleSelectors ?? [];
  if (selectors.length === 0)
    return [required(path, 'at least one clusterRoleSelector required if aggregationRule is non-nil')];
  const anyValue = (old?.clusterRoleSelectors ?? []).some(hasInvalidLabelValue);
  return selectors.flatMap((selector, index) => validateLabelSelector(selector, path.index(index), anyValue));
}
