import { defineKind } from '../define.ts';
import type { ClusterRoleBinding } from '../types/rbac.v1.gen.ts';
import { bindingColumns, defaultBinding, validateBinding, validateBindingUpdate } from './subjects.ts';

export const clusterRoleBinding = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRoleBinding',
  nameFormat: 'path',
  createOnUpdate: true,
  default: defaultBinding,
  validate: (object) => validateBinding(object, ['ClusterRole'], false),
  validateUpdate: validateBindingUpdate,
  columns: bindingColumns,
});
