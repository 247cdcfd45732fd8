import type { KindDefinition } from '../kind.ts';
import { clusterRole } from './cluster-role.ts';
import { clusterRoleBinding } from './cluster-role-binding.ts';
import { role } from './role.ts';
import { roleBinding } from './role-binding.ts';

export const kinds: readonly KindDefinition[] = [clusterRole, clusterRoleBinding, role, roleBinding];
