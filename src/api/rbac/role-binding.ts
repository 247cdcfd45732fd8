import { defineKind } from '../define.ts';
import type { RoleBinding } from '../types/rbac.v1.gen.ts';
import { bindingColumns, defaultBinding, validateBinding, validateBindingUpdate } from './subjects.ts';

export const roleBinding = defineKind<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  nameFormat: 'path',
  createOnUpdate: true,
  default: defaultBinding,
  validate: (object) => validateBinding(object, ['Role', 'ClusterRole'], true),
  validateUpdate: validateBindingUpdate,
  columns: bindingColumns,
});
