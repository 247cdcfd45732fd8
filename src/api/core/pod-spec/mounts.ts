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
  const errors: FieldError[] = [];
  if (container.volumeMounts?.length)
    errors.push(...validateVolumeMounts(container, container.volumeMounts, path.child('volumeMounts'), volumes));
  if (container.volumeDevices?.length)
    errors.push(...validateVolumeDevices(container, container.volumeDevices, path.child('volumeDevices'), volumes));
  return errors;
}

/** Sub-paths and how a mount is made are named, as upstream names them, without the index of the mount. */
function validateVolumeMounts(
  container: Container | EphemeralContainer,
  mounts: readonly VolumeMount[],
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const devices = new Map(container.volumeDevices?.map((device) => [device.name, device.devicePath]));
  const devicePaths = new Set(devices.values());
  const mountPoints = new Set<string>();
  const errors: FieldError[] = [];
  mounts.forEach((mount, index) => {
    const at = path.index(index);
    const { name, mountPath, subPath, subPathExpr } = mount;
    if (!name) errors.push(required(at.child('name')));
    if (!volumes.has(name)) errors.push(fieldNotFound(at.child('name'), name));
    if (!mountPath) errors.push(required(at.child('mountPath')));
    if (mountPoints.has(mountPath)) errors.push(invalidValue(at.child('mountPath'), mountPath, 'must be unique'));
    mountPoints.add(mountPath);
    if (devices.has(name)) errors.push(invalidValue(at.child('name'), name, 'must not already exist in volumeDevices'));
    if (devicePaths.has(mountPath))
      errors.push(invalidValue(at.child('mountPath'), mountPath, 'must not already exist as a path in volumeDevices'));
    if (subPath) errors.push(...validateLocalPath(subPath, path.child('subPath')));
    if (subPathExpr) {
      if (subPath)
        errors.push(
          invalidValue(at.child('subPathExpr'), subPathExpr, 'subPathExpr and subPath are mutually exclusive'),
        );
      errors.push(...validateLocalPath(subPathExpr, path.child('subPathExpr')));
    }
    errors.push(...validatePropagation(mount, container, path.child('mountPropagation')));
    errors.push(...validateRecursiveReadOnly(mount, path.child('recursiveReadOnly')));
  });
  return errors;
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
  devices: readonly VolumeDevice[],
  path: FieldPath,
  volumes: ReadonlyMap<string, Volume>,
): FieldError[] {
  const mounts = new Map(container.volumeMounts?.map((mount) => [mount.name, mount.mountPath]));
  const mountPaths = new Set(mounts.values());
  const names = new Set<string>();
  const paths = new Set<string>();
  const errors: FieldError[] = [];
  devices.forEach(({ name, devicePath }, index) => {
    const at = path.index(index);
    const nameAt = at.child('name');
    const pathAt = at.child('devicePath');
    const volume = volumes.get(name);
    if (!name) errors.push(required(nameAt));
    if (names.has(name)) errors.push(invalidValue(nameAt, name, 'must be unique'));
    if (!volume) errors.push(fieldNotFound(nameAt, name));
    else if (!volume.persistentVolumeClaim && !volume.ephemeral)
      errors.push(
        invalidValue(
          nameAt,
          name,
          'can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode',
        ),
      );
    if (!devicePath) errors.push(required(pathAt));
    if (paths.has(devicePath)) errors.push(invalidValue(pathAt, devicePath, 'must be unique'));
    if (devicePath && validatePathNoBacksteps(devicePath, pathAt).length > 0)
      errors.push(invalidValue(pathAt, devicePath, "can not contain backsteps ('..')"));
    else paths.add(devicePath);
    if (mounts.has(name)) errors.push(invalidValue(nameAt, name, 'must not already exist in volumeMounts'));
    if (mountPaths.has(devicePath))
      errors.push(invalidValue(pathAt, devicePath, 'must not already exist as a path in volumeMounts'));
    if (name) names.add(name);
  });
  return errors;
}
