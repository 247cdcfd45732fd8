import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateConditions } from '../conditions.ts';
import { validateNodeSelector } from '../core/pod-spec/affinity.ts';
import { immutable, requiredOneOf, semanticEqual } from '../field-checks.ts';
import { validateInterfaceAddress } from '../ip-addresses.ts';
import type { AllocatedDeviceStatus, AllocationResult, ResourceClaim } from '../types/resource.v1.gen.ts';
import { validateBindingConditions } from './binding-conditions.ts';
import { validateList } from './collections.ts';
import { requestNames, validateReference, validateReferences, validateTolerations } from './device-claim.ts';
import { validateOpaque, validateRaw } from './device-config.ts';
import { validateDriverName, validateLabelName, validatePoolName } from './device-names.ts';

const status = FieldPath.of('status');
const maxReservedFor = 256;
const maxResults = 32;
const maxDeviceDataBytes = 10 * 1024;
const maxInterfaceName = 256;
const maxHardwareAddress = 128;
const maxAddresses = 16;

export function validateClaimStatusUpdate(claim: ResourceClaim, old: ResourceClaim): FieldError[] {
  const { reservedFor = [], allocation, devices } = claim.status ?? {};
  const path = status.child('reservedFor');
  const errors = validateList(
    path,
    reservedFor,
    maxReservedFor,
    (at, consumer) =>
      (['resource', 'name', 'uid'] as const).flatMap((field) => (consumer[field] ? [] : [required(at.child(field))])),
    ({ uid }) => uid,
  );
  const allocated = new Set((allocation?.devices?.results ?? []).map(deviceId));
  errors.push(
    ...validateList(
      status.child('devices'),
      devices,
      Number.POSITIVE_INFINITY,
      (at, device) => validateDeviceStatus(at, device, allocated),
      deviceId,
    ),
  );
  if (reservedFor.length > 0 && !allocation)
    errors.push(forbiddenField(path, 'may not be specified when `allocated` is not set'));
  else if (claim.metadata.deletionTimestamp) {
    const before = old.status?.reservedFor ?? [];
    if (reservedFor.some((consumer) => !before.some((each) => semanticEqual(each, consumer))))
      errors.push(
        forbiddenField(
          path,
          'new entries may not be added while `deallocationRequested` or `deletionTimestamp` are set',
        ),
      );
  }
  if (!allocation) return errors;
  const at = status.child('allocation');
  if (old.status?.allocation) return [...errors, ...immutable(at, allocation, old.status.allocation)];
  return [...errors, ...validateAllocation(at, allocation, requestNames(claim.spec?.devices))];
}

/** Devices that are deallocated with this write take what was said of them along. */
export function dropDeallocatedDevices(claim: Draft<ResourceClaim>, old: ResourceClaim): void {
  if (!claim.status?.devices) return;
  const id = ({ driver, pool, device }: { driver: string; pool: string; device: string }) =>
    `${driver}/${pool}/${device}`;
  const gone = new Set((old.status?.allocation?.devices?.results ?? []).map(id));
  for (const result of claim.status.allocation?.devices?.results ?? []) gone.delete(id(result));
  const kept = claim.status.devices.filter((device) => !gone.has(id(device)));
  if (kept.length) claim.status.devices = kept;
  else delete claim.status.devices;
}

function deviceId(device: { driver: string; pool: string; device: string; shareID?: string }): string {
  return [device.driver, device.pool, device.device, ...(device.shareID ? [device.shareID] : [])].join('/');
}

function validateAllocation(path: FieldPath, allocation: AllocationResult, names: ReadonlySet<string>): FieldError[] {
  const devices = path.child('devices');
  return [
    ...validateList(devices.child('results'), allocation.devices?.results, maxResults, (at, result) => [
      ...validateReference(at.child('request'), result.request, names),
      ...validateDriverName(at.child('driver'), result.driver),
      ...validatePoolName(at.child('pool'), result.pool),
      ...validateLabelName(at.child('device'), result.device),
      ...validateBindingConditions(at, result),
      ...validateTolerations(at.child('tolerations'), result.tolerations),
      ...validateShareId(at.child('shareID'), result.shareID),
    ]),
    // Configurations come from the class and from the claim.
    ...validateList(devices.child('config'), allocation.devices?.config, 2 * maxResults, (at, config) => [
      ...requiredOneOf(at.child('source'), config.source, ['FromClaim', 'FromClass']),
      ...validateReferences(at.child('requests'), config.requests, names),
      ...validateOpaque(at, config),
    ]),
    ...(allocation.nodeSelector ? validateNodeSelector(allocation.nodeSelector, path.child('nodeSelector')) : []),
  ];
}

function validateDeviceStatus(
  path: FieldPath,
  device: AllocatedDeviceStatus,
  allocated: ReadonlySet<string>,
): FieldError[] {
  return [
    ...validateDriverName(path.child('driver'), device.driver),
    ...validatePoolName(path.child('pool'), device.pool),
    ...validateLabelName(path.child('device'), device.device),
    ...validateShareId(path.child('shareID'), device.shareID),
    ...(allocated.has(deviceId(device))
      ? []
      : [invalidValue(path, deviceId(device), 'must be an allocated device in the claim')]),
    ...validateList(path.child('conditions'), device.conditions, 8, () => []),
    ...validateConditions(path.child('conditions'), device.conditions),
    ...(device.data === undefined ? [] : validateRaw(path.child('data'), device.data, maxDeviceDataBytes)),
    ...validateNetworkData(path.child('networkData'), device.networkData),
  ];
}

function validateShareId(path: FieldPath, id: string | undefined): FieldError[] {
  if (id === undefined || /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(id)) return [];
  const problem = parseProblem(id);
  if (problem) return [invalidValue(path, id, `error validating uid: ${problem}`)];
  return [
    invalidValue(
      path,
      id,
      'uid must be in RFC 4122 normalized form, `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` with lowercase hexadecimal characters',
    ),
  ];
}

/** What keeps a text from being read as a UUID in any of the forms that there are. */
function parseProblem(id: string): string | undefined {
  const hyphenated = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
  switch (Buffer.byteLength(id)) {
    case 36:
      return hyphenated.test(id) ? undefined : 'invalid UUID format';
    case 32:
      return /^[0-9a-f]{32}$/i.test(id) ? undefined : 'invalid UUID format';
    case 38:
      if (!id.startsWith('{') || !id.endsWith('}')) return 'invalid bracketed UUID format';
      return hyphenated.test(id.slice(1, -1)) ? undefined : 'invalid UUID format';
    case 45:
      if (id.slice(0, 9).toLowerCase() !== 'urn:uuid:') return `invalid urn prefix: ${JSON.stringify(id.slice(0, 9))}`;
      return hyphenated.test(id.slice(9)) ? undefined : 'invalid UUID format';
    default:
      return `invalid UUID length: ${Buffer.byteLength(id)}`;
  }
}

function validateNetworkData(path: FieldPath, data: AllocatedDeviceStatus['networkData']): FieldError[] {
  if (!data) return [];
  const { interfaceName = '', hardwareAddress = '', ips } = data;
  return [
    ...(Buffer.byteLength(interfaceName) > maxInterfaceName
      ? [tooLong(path.child('interfaceName'), maxInterfaceName)]
      : []),
    ...(Buffer.byteLength(hardwareAddress) > maxHardwareAddress
      ? [tooLong(path.child('hardwareAddress'), maxHardwareAddress)]
      : []),
    ...validateList(path.child('ips'), ips, maxAddresses, validateInterfaceAddress, (address) => address),
  ];
}

export const taintEffects = ['NoExecute', 'NoSchedule', 'None'];

export function validateTaintEffect(path: FieldPath, effect: string | undefined): FieldError[] {
  if (!effect) return [required(path)];
  return taintEffects.includes(effect) ? [] : [notSupported(path, effect, taintEffects)];
}
