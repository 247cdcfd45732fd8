import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
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
  WindowsSecurityContextOptions,
} from '../../types/core.v1.gen.ts';
import { validateLocalPath } from './paths.ts';

const MAX_ID = 2 ** 31 - 1;

function validateId(id: number | undefined, path: FieldPath): FieldError[] {
  return id === undefined ? [] : isInRange(id, 0, MAX_ID).map((message) => invalidValue(path, id, message));
}

export function validateContainerSecurityContext(
  context: SecurityContext | undefined,
  path: FieldPath,
  spec: PodSpec,
): FieldError[] {
  if (!context) return [];
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
  if (context.allowPrivilegeEscalation === false) {
    if (context.privileged)
      errors.push(
        invalidValue(path, context, 'cannot set `allowPrivilegeEscalation` to false and `privileged` to true'),
      );
    if (context.capabilities?.add?.some((capability) => capability === 'CAP_SYS_ADMIN'))
      errors.push(
        invalidValue(
          path,
          context,
          'cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN',
        ),
      );
  }
  errors.push(...validateSeccomp(context.seccompProfile, path.child('seccompProfile')));
  errors.push(...validateAppArmor(context.appArmorProfile, path.child('appArmorProfile')));
  errors.push(...validateWindows(context.windowsOptions, path.child('windowsOptions')));
  return errors;
}

export function validatePodSecurityContext(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.shareProcessNamespace && spec.hostPID)
    errors.push(
      invalidValue(
        path.child('shareProcessNamespace'),
        true,
        'ShareProcessNamespace and HostPID cannot both be enabled',
      ),
    );
  const context: PodSecurityContext = spec.securityContext ?? {};
  const at = path.child('securityContext');
  errors.push(
    ...validateId(context.fsGroup, at.child('fsGroup')),
    ...validateId(context.runAsUser, at.child('runAsUser')),
    ...validateId(context.runAsGroup, at.child('runAsGroup')),
    ...(context.supplementalGroups ?? []).flatMap((group, index) =>
      validateId(group, at.child('supplementalGroups').index(index)),
    ),
    ...optionalOneOf(at.child('supplementalGroupsPolicy'), context.supplementalGroupsPolicy, ['Merge', 'Strict']),
    ...optionalOneOf(at.child('fsGroupChangePolicy'), context.fsGroupChangePolicy, ['Always', 'OnRootMismatch']),
    ...optionalOneOf(at.child('seLinuxChangePolicy'), context.seLinuxChangePolicy, ['MountOption', 'Recursive']),
    ...validateSysctls(context.sysctls, at.child('sysctls'), spec),
    ...validateSeccomp(context.seccompProfile, at.child('seccompProfile')),
    ...validateAppArmor(context.appArmorProfile, at.child('appArmorProfile')),
    ...validateWindows(context.windowsOptions, at.child('windowsOptions')),
  );
  if (spec.hostUsers === false) {
    for (const host of ['hostPID', 'hostIPC'] as const)
      if (spec[host]) errors.push(forbiddenField(path.child(host), 'when `hostUsers` is false'));
    if (spec.hostNetwork) errors.push(forbiddenField(path.child('hostNetwork'), 'when `hostUsers` is false'));
  }
  return errors;
}

function validateSeccomp(profile: SeccompProfile | undefined, path: FieldPath): FieldError[] {
  if (!profile) return [];
  if (!profile.type) return [required(path.child('type'), 'type is required when seccompProfile is set')];
  const errors = optionalOneOf(path.child('type'), profile.type, ['Localhost', 'RuntimeDefault', 'Unconfined']);
  const at = path.child('localhostProfile');
  if (profile.type === 'Localhost') {
    if (profile.localhostProfile === undefined) errors.push(required(at, 'must be set when seccomp type is Localhost'));
    else errors.push(...validateLocalPath(profile.localhostProfile, at));
  } else if (profile.localhostProfile !== undefined) {
    errors.push(invalidValue(at, profile.localhostProfile, 'can only be set when seccomp type is Localhost'));
  }
  return errors;
}

function validateAppArmor(profile: AppArmorProfile | undefined, path: FieldPath): FieldError[] {
  if (!profile) return [];
  if (!profile.type) return [required(path.child('type'), 'type is required when appArmorProfile is set')];
  const at = path.child('localhostProfile');
  const { type, localhostProfile } = profile;
  if (type === 'Localhost') {
    if (localhostProfile === undefined) return [required(at, 'must be set when AppArmor type is Localhost')];
    if (localhostProfile.trim() !== localhostProfile)
      return [invalidValue(at, localhostProfile, 'must not be padded with whitespace')];
    return localhostProfile === '' ? [required(at, 'must be set when AppArmor type is Localhost')] : [];
  }
  const errors = optionalOneOf(path.child('type'), type, ['Localhost', 'RuntimeDefault', 'Unconfined']);
  if (localhostProfile !== undefined)
    errors.push(invalidValue(at, localhostProfile, 'can only be set when AppArmor type is Localhost'));
  return errors;
}

function validateWindows(options: WindowsSecurityContextOptions | undefined, path: FieldPath): FieldError[] {
  if (options?.gmsaCredentialSpec !== undefined && options.gmsaCredentialSpec === '')
    return [invalidValue(path.child('gmsaCredentialSpec'), '', 'gmsaCredentialSpec cannot be an empty string')];
  if (options?.runAsUserName !== undefined && options.runAsUserName === '')
    return [invalidValue(path.child('runAsUserName'), '', 'runAsUserName cannot be an empty string')];
  return [];
}

const sysctlName = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;

function validateSysctls(sysctls: readonly Sysctl[] | undefined, path: FieldPath, spec: PodSpec): FieldError[] {
  const names = new Set<string>();
  return (sysctls ?? []).flatMap(({ name }, index) => {
    const at = path.index(index).child('name');
    const errors: FieldError[] = [];
    if (!name) errors.push(required(at));
    else if (name.length > 253 || !sysctlName.test(name))
      errors.push(invalidValue(at, name, `must have at most 253 characters and match regex ${sysctlName.source}`));
    else if (names.has(name)) errors.push(duplicate(at, name));
    names.add(name);
    if (spec.hostNetwork && /^net[./]/.test(name))
      errors.push(invalidValue(at, name, 'may not be specified when `hostNetwork` is true'));
    if (spec.hostIPC && /^(kernel[./](shm|msg|sem)|fs[./]mqueue[./])/.test(name))
      errors.push(invalidValue(at, name, 'may not be specified when `hostIPC` is true'));
    return errors;
  });
}

export function validatePodOs(spec: PodSpec, path: FieldPath): FieldError[] {
  if (!spec.os) return [];
  if (!spec.os.name) return [required(path.child('name'), 'cannot be empty')];
  return ['linux', 'windows'].includes(spec.os.name) ? [] : [notSupported(path, spec.os.name, ['linux', 'windows'])];
}
