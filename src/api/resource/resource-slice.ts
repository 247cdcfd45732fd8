import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
  tooLong,
} from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { validateNodeSelector } from '../core/pod-spec/affinity.ts';
import { defineKind } from '../define.ts';
import { immutable, invalidFor, semanticEqual } from '../field-checks.ts';
import type {
  CounterSet,
  Device,
  DeviceAttribute,
  DeviceTaint,
  ResourceSlice,
  ResourceSliceSpec,
} from '../types/resource.v1.gen.ts';
import { validateBindingConditions } from './binding-conditions.ts';
import { validateRequestPolicy } from './capacity-requests.ts';
import { validateTaintEffect } from './claim-status.ts';
import { validateList, validateMap } from './collections.ts';
import { validateDriverName, validateLabelName, validatePoolName, validateQualifiedName } from './device-names.ts';

const spec = FieldPath.of('spec');
const maxDevices = 128;
/** Taints and shared counters make devices larger. */
const maxCostlyDevices = 64;
const maxCounterSets = 8;
const maxCounters = 32;
const maxAttributes = 32;
const maxTaints = 16;
const maxAttributeLength = 64;

const semver =
  /^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*)?(\+[0-9a-zA-Z-]+(\.[0-9a-zA-Z-]+)*)?$/;

export const resourceSlice = defineKind<ResourceSlice>({
  group: 'resource.k8s.io',
  version: 'v1',
  kind: 'ResourceSlice',
  generation: 'spec',
  default: ({ spec }) => {
    for (const device of spec?.devices ?? [])
      for (const taint of device.taints ?? []) taint.timeAdded ??= new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  },
  prepareForCreate: ({ spec }) => {
    dropUnfinished(spec?.devices, []);
  },
  prepareForUpdate: ({ spec }, old) => {
    dropUnfinished(spec?.devices, old.spec?.devices ?? []);
  },
  validate: (object) => validateSpec(object.spec ?? ({} as ResourceSliceSpec)),
  validateCreate: (object) => validateTaints(object.spec?.devices ?? [], []),
  validateUpdate: (object, old) => [
    ...validateTaints(object.spec?.devices ?? [], old.spec?.devices ?? []),
    ...immutable(spec.child('pool', 'name'), object.spec?.pool?.name, old.spec?.pool?.name),
    ...immutable(spec.child('driver'), object.spec?.driver, old.spec?.driver),
    ...immutable(spec.child('nodeName'), object.spec?.nodeName, old.spec?.nodeName),
  ],
  columns: [
    nameColumn,
    column('Node', ({ spec }) => spec.nodeName ?? '', { description: 'Node that has the devices' }),
    column('Driver', ({ spec }) => spec.driver, { description: 'Driver of the devices' }),
    column('Pool', ({ spec }) => spec.pool.name, { description: 'Pool that the slice is part of' }),
    ageColumn,
  ],
  selectableFields: {
    'spec.nodeName': ({ spec }) => spec?.nodeName ?? '',
    'spec.driver': ({ spec }) => spec?.driver ?? '',
  },
  indexedFields: ['spec.nodeName'],
});

const listFields = ['bools', 'ints', 'strings', 'versions'] as const;
const hasLists = ({ attributes }: Device) =>
  Object.values(attributes ?? {}).some((attribute) => listFields.some((field) => attribute[field] !== undefined));

/** What is off in this version is dropped, unless the slice makes use of it already. */
function dropUnfinished(devices: Draft<Device>[] | undefined, old: readonly Device[]): void {
  const keepMappings = old.some((device) => device.nodeAllocatableResourceMappings);
  const keepLists = old.some(hasLists);
  for (const device of devices ?? []) {
    if (!keepMappings) delete device.nodeAllocatableResourceMappings;
    if (keepLists) continue;
    for (const attribute of Object.values(device.attributes ?? {}))
      for (const field of listFields) delete attribute[field];
  }
}

function validateSpec(slice: ResourceSliceSpec): FieldError[] {
  const { driver, pool, devices = [], sharedCounters } = slice;
  const errors = [
    ...validateDriverName(spec.child('driver'), driver),
    ...validatePoolName(spec.child('pool', 'name'), pool?.name),
  ];
  if ((pool?.resourceSliceCount ?? 0) <= 0)
    errors.push(
      invalidValue(
        spec.child('pool', 'resourceSliceCount'),
        pool?.resourceSliceCount ?? 0,
        'must be greater than zero',
      ),
    );
  if ((pool?.generation ?? 0) < 0)
    errors.push(
      invalidValue(spec.child('pool', 'generation'), pool?.generation, 'must be greater than or equal to zero'),
    );
  errors.push(...validatePlace(slice));
  if (sharedCounters !== undefined && slice.devices !== undefined)
    errors.push(invalidValue(spec, '', 'only one of `sharedCounters` or `devices` is allowed'));
  const costly = devices.some(({ taints, consumesCounters }) => taints?.length || consumesCounters?.length);
  return [
    ...errors,
    ...validateList(
      spec.child('devices'),
      devices,
      costly ? maxCostlyDevices : maxDevices,
      (at, device) => validateDevice(at, device, slice.perDeviceNodeSelection === true),
      ({ name }) => name,
    ),
    ...validateList(
      spec.child('sharedCounters'),
      sharedCounters,
      maxCounterSets,
      validateCounterSet,
      ({ name }) => name,
    ),
  ];
}

interface Place {
  readonly nodeName?: string;
  readonly nodeSelector?: ResourceSliceSpec['nodeSelector'];
  readonly allNodes?: boolean;
}

/** Where devices can be reached from, said in exactly one way. */
function validatePlace(slice: ResourceSliceSpec): FieldError[] {
  const one = 'exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required';
  const { set, errors } = placeOf(spec, slice, 'must be either unset or set to a non-empty string');
  const { nodeSelector, perDeviceNodeSelection } = slice;
  if (nodeSelector && nodeSelector.nodeSelectorTerms?.length !== 1)
    errors.push(
      invalidValue(
        spec.child('nodeSelector', 'nodeSelectorTerms'),
        nodeSelector.nodeSelectorTerms,
        'must have exactly one node selector term',
      ),
    );
  if (perDeviceNodeSelection) set.push('`perDeviceNodeSelection`');
  else if (perDeviceNodeSelection === false)
    errors.push(invalidValue(spec.child('perDeviceNodeSelection'), false, 'must be either unset or set to true'));
  if (set.length === 0) errors.push(required(spec, one));
  if (set.length > 1) errors.push(invalidValue(spec, `{${set.join(', ')}}`, `${one}, but multiple fields are set`));
  return errors;
}

function placeOf(path: FieldPath, place: Place, emptyName: string): { set: string[]; errors: FieldError[] } {
  const set: string[] = [];
  const errors: FieldError[] = [];
  const { nodeName, nodeSelector, allNodes } = place;
  if (nodeName === '') errors.push(invalidValue(path.child('nodeName'), nodeName, emptyName));
  else if (nodeName !== undefined) {
    set.push('`nodeName`');
    errors.push(...invalidFor(path.child('nodeName'), nodeName, isDns1123Subdomain(nodeName)));
  }
  if (nodeSelector) {
    set.push('`nodeSelector`');
    errors.push(...validateNodeSelector(nodeSelector, path.child('nodeSelector')));
  }
  if (allNodes) set.push('`allNodes`');
  else if (allNodes === false)
    errors.push(invalidValue(path.child('allNodes'), false, 'must be either unset or set to true'));
  return { set, errors };
}

function validateDevice(path: FieldPath, device: Device, ownPlace: boolean): FieldError[] {
  const { attributes, capacity } = device;
  const errors = validateLabelName(path.child('name'), device.name);
  const total = Object.keys(attributes ?? {}).length + Object.keys(capacity ?? {}).length;
  if (total > maxAttributes)
    errors.push(
      invalidValue(path, total, `the total number of attributes and capacities must not exceed ${maxAttributes}`),
    );
  errors.push(
    ...validateMap(path.child('attributes'), attributes, Infinity, validateQualifiedName, validateAttribute),
    ...validateMap(path.child('capacity'), capacity, Infinity, validateQualifiedName, (at, given) =>
      device.allowMultipleAllocations
        ? validateRequestPolicy(at.child('requestPolicy'), given)
        : given.requestPolicy
          ? [forbiddenField(at.child('requestPolicy'), 'allowMultipleAllocations must be true')]
          : [],
    ),
    ...validateList(
      path.child('consumesCounters'),
      device.consumesCounters,
      2,
      (at, { counterSet, counters }) => validateCounterSet(at, { name: counterSet, counters }, 'counterSet'),
      ({ counterSet }) => counterSet,
    ),
  );
  const binding = validateBindingConditions(path, device);
  if (!ownPlace) {
    if (device.nodeName !== undefined || device.nodeSelector || device.allNodes !== undefined)
      errors.push(
        invalidValue(
          path,
          undefined,
          '`nodeName`, `nodeSelector` and `allNodes` can only be set if `perDeviceNodeSelection` is set to true in the ResourceSlice spec',
        ),
      );
    return [...errors, ...binding];
  }
  const one =
    'exactly one of `nodeName`, `nodeSelector`, or `allNodes` is required when `perDeviceNodeSelection` is set to true in the ResourceSlice spec';
  const place = placeOf(path, device, 'must not be empty');
  errors.push(...place.errors);
  if (place.set.length === 0) errors.push(required(path, one));
  if (place.set.length > 1) errors.push(invalidValue(path, `{${place.set.join(', ')}}`, one));
  return [...errors, ...binding];
}

/** Taints that a device had already are not looked at again. */
function validateTaints(devices: readonly Device[], old: readonly Device[]): FieldError[] {
  const before = new Map(old.map((device) => [device.name, device.taints]));
  return devices.flatMap(({ name, taints }, index) =>
    before.has(name) && semanticEqual(before.get(name), taints)
      ? []
      : validateList(spec.child('devices').index(index).child('taints'), taints, maxTaints, validateTaint),
  );
}

function validateAttribute(path: FieldPath, attribute: DeviceAttribute): FieldError[] {
  const { string, version } = attribute;
  const errors: FieldError[] = [];
  for (const [field, value] of Object.entries({ string, version }))
    if (value !== undefined && value.length > maxAttributeLength)
      errors.push(tooLong(path.child(field), maxAttributeLength));
  if (version !== undefined && !semver.test(version))
    errors.push(invalidValue(path.child('version'), version, 'must be a string compatible with semver.org spec 2.0.0'));
  const set = Object.values(attribute).filter((value) => value !== undefined).length;
  if (set !== 1) errors.push(invalidValue(path, set === 0 ? '' : attribute, 'exactly one value must be specified'));
  return errors;
}

function validateTaint(path: FieldPath, { key = '', value = '', effect }: DeviceTaint): FieldError[] {
  return [
    ...invalidFor(path.child('key'), key, isQualifiedName(key)),
    ...(value ? invalidFor(path.child('value'), value, isLabelValue(value)) : []),
    ...validateTaintEffect(path.child('effect'), effect),
  ];
}

function validateCounterSet(path: FieldPath, { name, counters }: CounterSet, nameField = 'name'): FieldError[] {
  return [
    ...(name ? validateLabelName(path.child(nameField), name) : [required(path.child(nameField))]),
    ...(Object.keys(counters ?? {}).length === 0
      ? [required(path.child('counters'))]
      : validateMap(path.child('counters'), counters, maxCounters, validateLabelName, () => [])),
  ];
}
