import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import type { PodSecurityContext, PodSpec, SecurityContext } from '../../types/core.v1.gen.ts';
import { visitContainers } from './visit-containers.ts';

const systems = ['linux', 'windows'];

/** `pod`: fields of the pod itself; the order is that of the errors. */
const notOnWindows: readonly (keyof PodSecurityContext | { readonly pod: keyof PodSpec })[] = [
  ...(['appArmorProfile', 'seLinuxOptions'] as const),
  ...([{ pod: 'hostUsers' }, { pod: 'hostPID' }, { pod: 'hostIPC' }] as const),
  ...(['seccompProfile', 'fsGroup', 'fsGroupChangePolicy', 'sysctls', { pod: 'shareProcessNamespace' }] as const),
  ...(['runAsUser', 'runAsGroup', 'supplementalGroups', 'supplementalGroupsPolicy', 'seLinuxChangePolicy'] as const),
];
const notInWindowsContainers: readonly (keyof SecurityContext)[] = [
  ...(['appArmorProfile', 'seLinuxOptions', 'seccompProfile', 'capabilities', 'readOnlyRootFilesystem'] as const),
  ...(['privileged', 'allowPrivilegeEscalation', 'procMount', 'runAsUser', 'runAsGroup'] as const),
];

/** A pod that says for which operating system it is may not ask for what the other one has. */
export function validatePodOs(spec: PodSpec, path: FieldPath): FieldError[] {
  if (!spec.os) return [];
  const { name } = spec.os;
  if (!name) return [required(path.child('os', 'name'))];
  if (!systems.includes(name)) return [notSupported(path.child('os'), name, systems)];
  return name === 'linux' ? validateLinux(spec, path) : validateWindows(spec, path);
}

function validateLinux(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (context: PodSecurityContext | SecurityContext | undefined, at: FieldPath) => {
    if (context?.windowsOptions)
      errors.push(
        forbiddenField(at.child('securityContext', 'windowsOptions'), 'windows options cannot be set for a linux pod'),
      );
  };
  refuse(spec.securityContext, path);
  visitContainers(spec, path, ({ securityContext }, at) => refuse(securityContext, at));
  return errors;
}

function validateWindows(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const refuse = (at: FieldPath) => errors.push(forbiddenField(at, 'cannot be set for a windows pod'));
  for (const field of notOnWindows) {
    if (typeof field === 'string') {
      const value = spec.securityContext?.[field];
      if (value !== undefined && !(field === 'sysctls' && (value as readonly unknown[]).length === 0))
        refuse(path.child('securityContext', field));
    } else if (
      spec[field.pod] !== undefined &&
      !((field.pod === 'hostPID' || field.pod === 'hostIPC') && !spec[field.pod])
    )
      refuse(path.child(field.pod));
  }
  visitContainers(spec, path, ({ securityContext }, at) => {
    for (const field of notInWindowsContainers)
      if (securityContext?.[field] !== undefined) refuse(at.child('securityContext', field));
  });
  return errors;
}
