import {
  type FieldError,
  type FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import type { Container, EphemeralContainer, Volume, VolumeDevice, VolumeMount } from '../../types/core.v1.gen.ts';
import { validateLocalPath, validatePathNoBacksteps } from './paths.ts';

const propagations = ['Bidirectional', 'HostToContainer', 'None'];

/** Mounts and devices of a container; `volumes` of its pod by name. */
export function validateMounts(
  container: Container | EphemeralContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  return [
    ...validateVolumeMounts(container, path.child('volumeMounts'), volumes),
    ...validateVolumeDevices(container, path.child('volumeDevices'), volumes),
  ];
}

function validateVolumeMounts(
  container: Container | EphemeralContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const devices = container.volumeDevices ?? [];
  const mountPoints = new Set<string>();
  return (container.volumeMounts ?? []).flatMap((mount, index) => {
    const at = path.index(index);
    const errors: FieldError[] = [];
    if (!mount.name) errors.push(required(at.child('name')));
    if (!volumes.has(mount.name)) errors.push(fieldNotFound(at.child('name'), mount.name));
    if (!mount.mountPath) errors.push(required(at.child('mountPath')));
    if (mountPoints.has(mount.mountPath))
      errors.push(invalidValue(at.child('mountPath'), mount.mountPath, 'must be unique'));
    mountPoints.add(mount.mountPath);
    if (devices.some((device) => device.name === mount.name))
      errors.push(invalidValue(at.child('name'), mount.name, 'must not already exist in volumeDevices'));
    if (devices.some((device) => device.devicePath === mount.mountPath))
      errors.push(
        invalidValue(at.child('mountPath'), mount.mountPath, 'must not already exist as a path in volumeDevices'),
      );
    if (mount.subPath) errors.push(...validateLocalPath(mount.subPath, at.child('subPath')));
    if (mount.subPathExpr) {
      if (mount.subPath)
        errors.push(
          invalidValue(at.child('subPathExpr'), mount.subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
        );
      errors.push(...validateLocalPath(mount.subPathExpr, at.child('subPathExpr')));
    }
    errors.push(...validatePropagation(mount, container, at.child('mountPropagation')));
    errors.push(...validateRecursiveReadOnly(mount, at.child('recursiveReadOnly')));
    return errors;
  });
}

function validatePropagation(
  mount: VolumeMount,
  container: Container | EphemeralContainer,
  path: FieldPath,
): FieldError[] {
  const propagation = mount.mountPropagation;
  if (propagation === undefined) return [];
  const errors = propagations.includes(propagation) ? [] : [notSupported(path, propagation, propagations)];
  if (propagation === 'Bidirectional' && !container.securityContext?.privileged)
    errors.push(forbiddenField(path, 'Bidirectional mount propagation is available only to privileged containers'));
  return errors;
}

function validateRecursiveReadOnly(mount: VolumeMount, path: FieldPath): FieldError[] {
  const mode = mount.recursiveReadOnly;
  if (mode === undefined || mode === 'Disabled') return [];
  if (mode !== 'Enabled' && mode !== 'IfPossible')
    return [notSupported(path, mode, ['Disabled', 'Enabled', 'IfPossible'])];
  const errors: FieldError[] = [];
  if (!mount.readOnly) errors.push(forbiddenField(path, 'may only be specified when readOnly is true'));
  if (mount.mountPropagation !== undefined && mount.mountPropagation !== 'None')
    errors.push(forbiddenField(path, 'may only be specified when mountPropagation is None or not specified'));
  return errors;
}

function validateVolumeDevices(
  container: Container | EphemeralContainer,
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const names = new Set<string>();
  const paths = new Set<string>();
  return (container.volumeDevices ?? []).flatMap((device, index) => {
    const errors = validateVolumeDevice(device, path.index(index), container, volumes);
    if (names.has(device.name))
      errors.push(invalidValue(path.index(index).child('name'), device.name, 'must be unique'));
    if (paths.has(device.devicePath))
      errors.push(invalidValue(path.index(index).child('devicePath'), device.devicePath, 'must be unique'));
    names.add(device.name);
    paths.add(device.devicePath);
    return errors;
  });
}

function validateVolumeDevice(
  device: VolumeDevice,
  path: FieldPath,
  container: Container | EphemeralContainer,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const errors: FieldError[] = [];
  const volume = volumes.get(device.name);
  if (!device.name) errors.push(required(path.child('name')));
  if (!volume) errors.push(fieldNotFound(path.child('name'), device.name));
  else if (!volume.persistentVolumeClaim && !volume.ephemeral)
    errors.push(
      invalidValue(
        path.child('name'),
        device.name,
        'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
      ),
    );
  if (!device.devicePath) errors.push(required(path.child('devicePath')));
  else errors.push(...validatePathNoBacksteps(device.devicePath, path.child('devicePath')));
  if (container.volumeMounts?.some((mount) => mount.name === device.name))
    errors.push(invalidValue(path.child('name'), device.name, 'must not already exist in volumeMounts'));
  if (container.volumeMounts?.some((mount) => mount.mountPath === device.devicePath))
    errors.push(
      invalidValue(path.child('devicePath'), device.devicePath, 'must not already exist as a path in volumeMounts'),
    );
  return errors;
}
