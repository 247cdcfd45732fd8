import { nameColumn } from '../columns.ts';
import { createdAtColumn } from '../created-at-column.ts';
import { defineKind } from '../define.ts';
import type { Role } from '../types/rbac.v1.gen.ts';
import { validateRules } from './rules.ts';

export const role = defineKind<Role>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  nameFormat: 'path',
  createOnUpdate: true,
  validate: (object) => validateRules(object.rules, true),
  columns: [nameColumn, createdAtColumn],
});
