import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../../apimachinery/field.ts';
import { isInRange } from '../../../apimachinery/names.ts';
import { optionalOneOf } from '../../field-checks.ts';
import type {
  AppArmorProfile,
  PodSecurityContext,
  PodSpec,
  SeccompProfile,
  SecurityContext,
  Sysctl,
} from '../../types/core.v1.gen.ts';
import { internalForm } from '../internal-form.ts';
import type { PodAllowances } from './allowances.ts';
import { validateLocalPath } from './paths.ts';
import { visitContainers } from './visit-containers.ts';
import { validateWindowsOptions } from './windows-options.ts';

const MAX_ID = 2 ** 31 - 1;

function validateId(id: number | undefined, path: FieldPath): FieldError[] {
  return id === undefined ? [] : isInRange(id, 0, MAX_ID).map((message) => invalidValue(path, id, message));
}

export function validateContainerSecurityContext(
  context: SecurityContext,
  path: FieldPath,
  spec: PodSpec,
): FieldError[] {
  const errors = [
    ...validateId(context.runAsUser, path.child('runAsUser')),
    ...validateId(context.runAsGroup, path.child('runAsGroup')),
  ];
  if (context.procMount !== undefined) {
    const at = path.child('procMount');
    errors.push(...optionalOneOf(at, context.procMount, ['Default', 'Unmasked']));
    if (context.procMount === 'Unmasked' && spec.hostUsers !== false)
      errors.push(invalidValue(at, context.procMount, '`hostUsers` must be false to use `Unmasked`'));
  }
  errors.push(...validateSeccomp(context.seccompProfile, path.child('seccompProfile')));
  if (context.allowPrivilegeEscalation === false) {
    const refuse = (what: string) =>
      errors.push(
        invalidValue(
          path,
          internalForm('SecurityContext', context),
          `cannot set \`allowPrivilegeEscalation\` to false and ${what}`,
        ),
      );
    if (context.privileged) refuse('`privileged` to true');
    for (const capability of context.capabilities?.add ?? [])
      if (capability === 'CAP_SYS_ADMIN') refuse('`capabilities.Add` CAP_SYS_ADMIN');
  }
  errors.push(...validateWindowsOptions(context.windowsOptions, path.child('windowsOptions')));
  errors.push(...validateAppArmor(context.appArmorProfile, path.child('appArmorProfile')));
  return errors;
}

export function validatePodSecurityContext(spec: PodSpec, path: FieldPath, allowances: PodAllowances): FieldError[] {
  const context: PodSecurityContext = spec.securityContext ?? {};
  const at = path.child('securityContext');
  const errors = [
    ...validateId(context.fsGroup, at.child('fsGroup')),
    ...validateId(context.runAsUser, at.child('runAsUser')),
    ...validateId(context.runAsGroup, at.child('runAsGroup')),
    ...(context.supplementalGroups ?? []).flatMap((group, index) =>
      validateId(group, at.child('supplementalGroups').index(index)),
    ),
  ];
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      invalidValue(at.child('shareProcessNamespace'), true, 'ShareProcessNamespace and HostPID cannot both be enabled'),
    );
  errors.push(
    ...validateSysctls(context.sysctls, at.child('sysctls'), spec, allowances.sharedSysctls),
    ...optionalOneOf(at.child('fsGroupChangePolicy'), context.fsGroupChangePolicy, ['Always', 'OnRootMismatch']),
    ...validateSeccomp(context.seccompProfile, at.child('seccompProfile')),
    ...validateWindowsOptions(context.windowsOptions, at.child('windowsOptions')),
    ...validateAppArmor(context.appArmorProfile, at.child('appArmorProfile')),
    ...optionalOneOf(at.child('supplementalGroupsPolicy'), context.supplementalGroupsPolicy, ['Merge', 'Strict']),
    ...optionalOneOf(
      at.child('seLinuxChangePolicy'),
      context.seLinuxChangePolicy,
      allowances.anySELinuxChangePolicy ? ['MountOption', 'Recursive'] : ['Recursive'],
    ),
  );
  return errors;
}

/** A pod in a user namespace of its own shares no other namespace with the host, and has no block devices. */
export function validateHostUsers(spec: PodSpec, path: FieldPath, allowances: PodAllowances): FieldError[] {
  if (spec.hostUsers !== false) return [];
  const errors: FieldError[] = [];
  const refuse = (at: FieldPath) => errors.push(forbiddenField(at, 'when `hostUsers` is false'));
  if (spec.hostNetwork && !allowances.hostNetworkOfOwnUsers) refuse(path.child('hostNetwork'));
  if (spec.hostPID) refuse(path.child('HostPID'));
  if (spec.hostIPC) refuse(path.child('HostIPC'));
  if (allowances.volumeDevicesOfOwnUsers) return errors;
  visitContainers(spec, path, (container, at) => {
    if (container.volumeDevices?.length) refuse(at.child('volumeDevices'));
  });
  return errors;
}

const profileTypes = ['Localhost', 'RuntimeDefault', 'Unconfined'];

function validateSeccomp(profile: SeccompProfile | undefined, path: FieldPath): FieldError[] {
  if (!profile) return [];
  const { type, localhostProfile } = profile;
  const errors = type
    ? optionalOneOf(path.child('type'), type, profileTypes)
    : [required(path.child('type'), 'type is required when seccompProfile is set')];
  const at = path.child('localhostProfile');
  if (type === 'Localhost') {
    if (localhostProfile === undefined) errors.push(required(at, 'must be set when seccomp type is Localhost'));
    else errors.push(...validateLocalPath(localhostProfile, at));
  } else if (localhostProfile !== undefined) {
    const shown = { Type: type ?? '', LocalhostProfile: localhostProfile };
    errors.push(invalidValue(at, shown, 'can only be set when seccomp type is Localhost'));
  }
  return errors;
}

/** PATH_MAX - 1 */
const MAX_PROFILE_BYTES = 4095;

export function validateAppArmor(profile: AppArmorProfile | undefined, path: FieldPath): FieldError[] {
  if (!profile) return [];
  const at = path.child('localhostProfile');
  const { type, localhostProfile } = profile;
  switch (type) {
    case 'Localhost': {
      const missing = required(at, 'must be set when AppArmor type is Localhost');
      if (localhostProfile === undefined) return [missing];
      const errors: FieldError[] = [];
      if (localhostProfile.trim() !== localhostProfile)
        errors.push(invalidValue(at, localhostProfile, 'must not be padded with whitespace'));
      else if (localhostProfile === '') errors.push(missing);
      if (Buffer.byteLength(localhostProfile) > MAX_PROFILE_BYTES) errors.push(tooLong(at, MAX_PROFILE_BYTES));
      return errors;
    }
    case 'RuntimeDefault':
    case 'Unconfined':
      return localhostProfile === undefined
        ? []
        : [invalidValue(at, localhostProfile, 'can only be set when AppArmor type is Localhost')];
    default:
      return type
        ? [notSupported(path.child('type'), type, profileTypes)]
        : [required(path.child('type'), 'type is required when appArmorProfile is set')];
  }
}

const sysctlSegment = '[a-z0-9]([-_a-z0-9]*[a-z0-9])?';
const sysctlName = `^(${sysctlSegment}[\\./])*${sysctlSegment}$`;
const sysctlPattern = new RegExp(sysctlName);
const MAX_SYSCTL_BYTES = 253;

function validateSysctls(
  sysctls: readonly Sysctl[] | undefined,
  path: FieldPath,
  spec: PodSpec,
  sharedToo: boolean,
): FieldError[] {
  const names = new Set<string>();
  return (sysctls ?? []).flatMap(({ name = '' }, index) => {
    const at = path.index(index).child('name');
    const errors: FieldError[] = [];
    if (!name) errors.push(required(at));
    else if (name.length > MAX_SYSCTL_BYTES || !sysctlPattern.test(name))
      errors.push(
        invalidValue(at, name, `must have at most ${MAX_SYSCTL_BYTES} characters and match regex ${sysctlName}`),
      );
    else if (names.has(name)) errors.push(duplicate(at, name));
    names.add(name);
    const sharing = sharesSysctl(name, spec);
    if (sharing && !sharedToo) errors.push(invalidValue(at, name, `may not be specified when '${sharing}' is true`));
    return errors;
  });
}

/** The field by which the pod shares the sysctl with its host, which is not the pod's to set then. */
export function sharesSysctl(name: string, spec: PodSpec): 'hostNetwork' | 'hostIPC' | undefined {
  const namespace = namespaceOfSysctl(name);
  if (spec.hostNetwork && namespace === 'net') return 'hostNetwork';
  return spec.hostIPC && namespace === 'ipc' ? 'hostIPC' : undefined;
}

const ipcSysctls = new Set([
  ...['kernel.sem', 'kernel.shm', 'kernel.shmall', 'kernel.shmmax', 'kernel.shmmni', 'kernel.shm_rmid_forced'],
  ...['kernel.msg', 'kernel.msgmax', 'kernel.msgmnb', 'kernel.msgmni'],
]);

/** A name whose first separator is a slash has slashes for dots, and dots for slashes. */
function namespaceOfSysctl(name: string): 'ipc' | 'net' | undefined {
  const swapped = /^[^./]*\//.test(name);
  const dotted = swapped ? name.replace(/[./]/g, (separator) => (separator === '/' ? '.' : '/')) : name;
  if (dotted.startsWith('net.')) return 'net';
  return ipcSysctls.has(dotted) || dotted.startsWith('fs.mqueue.') ? 'ipc' : undefined;
}
