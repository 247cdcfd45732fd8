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
import { internalForm } from '../core/internal-form.ts';
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
/** Of an attribute or a capacity: domain, slash and identifier. */
const maxKey = 63 + 1 + 32;

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
  validate: (object, old) => validateSpec(object.spec ?? ({} as ResourceSliceSpec), old?.spec),
  warnings: ({ spec }) => {
    const driver = spec?.driver ?? '';
    return driver === driver.toLowerCase()
      ? []
      : [`spec.driver: driver names should be lowercase; ${JSON.stringify(driver)} contains uppercase characters`];
  },
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

function validateSpec(slice: ResourceSliceSpec, old: ResourceSliceSpec | undefined): FieldError[] {
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
  if (old)
    errors.push(
      ...immutable(spec.child('pool', 'name'), pool?.name, old.pool?.name),
      ...immutable(spec.child('driver'), driver, old.driver),
      ...immutable(spec.child('nodeName'), slice.nodeName, old.nodeName),
    );
  errors.push(...validatePlace(slice));
  if (sharedCounters !== undefined && slice.devices !== undefined)
    errors.push(invalidValue(spec, '', 'only one of `sharedCounters` or `devices` is allowed'));
  const costly = devices.some((device) => device.taints?.length || device.consumesCounters?.length || hasLists(device));
  const before = new Map((old?.devices ?? []).map((device) => [device.name, device]));
  return [
    ...errors,
    ...validateList(
      spec.child('devices'),
      devices,
      costly ? maxCostlyDevices : maxDevices,
      (at, device) => validateDevice(at, device, before.get(device.name), slice.perDeviceNodeSelection === true),
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
        internalForm('NodeSelectorTerm', nodeSelector.nodeSelectorTerms),
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

/** Capacities and taints that a device had already are not looked at again. */
function validateDevice(path: FieldPath, device: Device, old: Device | undefined, ownPlace: boolean): FieldError[] {
  const { attributes, capacity, taints } = device;
  const errors = validateLabelName(path.child('name'), device.name);
  const total = Object.keys(attributes ?? {}).length + Object.keys(capacity ?? {}).length;
  if (total > maxAttributes)
    errors.push(
      invalidValue(path, total, `the total number of attributes and capacities must not exceed ${maxAttributes}`),
    );
  errors.push(
    ...validateMap(path.child('attributes'), attributes, Infinity, maxKey, validateQualifiedName, validateAttribute),
  );
  if (!old || !semanticEqual(old.capacity, capacity))
    errors.push(
      ...validateMap(path.child('capacity'), capacity, Infinity, maxKey, validateQualifiedName, (at, given) =>
        device.allowMultipleAllocations
          ? validateRequestPolicy(at.child('requestPolicy'), given)
          : given.requestPolicy
            ? [forbiddenField(at.child('requestPolicy'), 'allowMultipleAllocations must be true')]
            : [],
      ),
    );
  if (!old || !semanticEqual(old.taints, taints))
    errors.push(...validateList(path.child('taints'), taints, maxTaints, validateTaint));
  errors.push(
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

function validateAttribute(path: FieldPath, attribute: DeviceAttribute): FieldError[] {
  const { string, version } = attribute;
  const length = (field: string, value: string) =>
    Buffer.byteLength(value) > maxAttributeLength ? [tooLong(path.child(field), maxAttributeLength)] : [];
  const errors = string === undefined ? [] : length('string', string);
  if (version !== undefined) {
    if (!semver.test(version))
      errors.push(
        invalidValue(path.child('version'), version, 'must be a string compatible with semver.org spec 2.0.0'),
      );
    errors.push(...length('version', version));
  }
  const set = Object.values(attribute).filter((value) => value !== undefined && value !== null).length;
  if (set !== 1)
    errors.push(invalidValue(path, set === 0 ? '' : shownAttribute(attribute), 'exactly one value must be specified'));
  return errors;
}

/** As errors show it: by the names that the server's own type has. */
const shownAttribute = (attribute: DeviceAttribute) => ({
  IntValue: attribute.int ?? null,
  BoolValue: attribute.bool ?? null,
  StringValue: attribute.string ?? null,
  VersionValue: attribute.version ?? null,
  IntValues: attribute.ints ?? null,
  BoolValues: attribute.bools ?? null,
  StringValues: attribute.strings ?? null,
  VersionValues: attribute.versions ?? null,
});

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
      : validateMap(path.child('counters'), counters, maxCounters, 63, validateLabelName, () => [])),
  ];
}
