import type { ManagedFieldsEntry } from '../meta.ts';
import { difference, emptySet, type FieldSet, intersection, isEmpty, isFieldSet, sorted, union } from './field-set.ts';
import type { ChangesOf } from './versions.ts';

/** Who owns what of an object: the entries of `metadata.managedFields`, by manager, operation, version and subresource. */
export interface Manager {
  readonly name: string;
  readonly operation: 'Apply' | 'Update';
  readonly apiVersion: string;
  readonly subresource?: string;
  readonly time?: string;
  readonly fields: FieldSet;
  /** The entry it was read from, while nothing in it has changed. */
  readonly entry?: ManagedFieldsEntry;
}

export type Managers = Map<string, Manager>;

const MAX_UPDATE_MANAGERS = 10;
const ANCIENT_CHANGES = 'ancient-changes';

/** Appliers are told apart without their version, updaters with it. */
export function managerId(manager: Pick<Manager, 'name' | 'operation' | 'apiVersion' | 'subresource'>): string {
  const version = manager.operation === 'Apply' ? '' : manager.apiVersion;
  return `${manager.operation}\n${manager.name}\n${version}\n${manager.subresource ?? ''}`;
}

/** `undefined`: not well-formed. */
export function decodeManagers(entries: readonly ManagedFieldsEntry[] | undefined): Managers | undefined {
  const managers: Managers = new Map();
  for (const entry of entries ?? []) {
    const { operation, apiVersion, fieldsType, fieldsV1, manager: name = '', subresource, time } = entry;
    // Of an operation that is none the object's validation tells.
    if (!operation || !apiVersion || fieldsType !== 'FieldsV1') return undefined;
    const fields = fieldsV1 ?? emptySet;
    if (!isFieldSet(fields)) return undefined;
    const manager: Manager = {
      name,
      operation: operation as Manager['operation'],
      apiVersion,
      fields,
      entry,
      ...(subresource ? { subresource } : {}),
      ...(time ? { time } : {}),
    };
    managers.set(managerId(manager), manager);
  }
  return managers;
}

/** Appliers first, then by time, name, version and subresource. */
export function encodeManagers(managers: Managers): ManagedFieldsEntry[] | undefined {
  if (managers.size === 0) return undefined;
  return [...managers.values()].sort(order).map(encode);
}

function encode(manager: Manager): ManagedFieldsEntry {
  if (manager.entry) return manager.entry;
  return {
    manager: manager.name,
    operation: manager.operation,
    apiVersion: manager.apiVersion,
    ...(manager.time ? { time: manager.time } : {}),
    fieldsType: 'FieldsV1',
    fieldsV1: sorted(manager.fields),
    ...(manager.subresource ? { subresource: manager.subresource } : {}),
  };
}

function seconds(manager: Manager): number {
  return manager.time ? Math.floor(Date.parse(manager.time) / 1000) : 0;
}

function order(a: Manager, b: Manager): number {
  return (
    compareText(a.operation, b.operation) ||
    seconds(a) - seconds(b) ||
    compareText(a.name, b.name) ||
    compareText(a.apiVersion, b.apiVersion) ||
    compareText(a.subresource ?? '', b.subresource ?? '')
  );
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

export function withFields(manager: Manager, fields: FieldSet): Manager {
  if (fields === manager.fields) return manager;
  const { entry: _, ...rest } = manager;
  return { ...rest, fields };
}

/** Takes from everyone but `except` what was changed, added or removed; whoever is left with nothing goes. */
export function takeFromOthers(managers: Managers, changesOf: ChangesOf, except?: string): void {
  for (const [id, manager] of managers) {
    if (id === except) continue;
    const changes = changesOf(manager.apiVersion);
    if (!changes) {
      managers.delete(id);
      continue;
    }
    const { added, modified, removed } = changes;
    const fields = difference(difference(difference(manager.fields, added), modified), removed);
    if (isEmpty(fields)) managers.delete(id);
    else if (fields !== manager.fields) managers.set(id, withFields(manager, fields));
  }
}

/** What others own of the changed and added fields, by manager. */
export function findConflicts(managers: Managers, changesOf: ChangesOf, except: string): Map<string, FieldSet> {
  const conflicts = new Map<string, FieldSet>();
  for (const [id, manager] of managers) {
    if (id === except) continue;
    const changes = changesOf(manager.apiVersion);
    if (!changes) continue;
    const common = intersection(manager.fields, union(changes.added, changes.modified));
    if (!isEmpty(common)) conflicts.set(id, common);
  }
  return conflicts;
}

/** Merges the oldest updaters of a version into one, `ancient-changes`, when there are more than ten. */
export function capUpdateManagers(managers: Managers): void {
  const updaters = [...managers].filter(([, manager]) => manager.operation === 'Update');
  let count = updaters.length;
  if (count <= MAX_UPDATE_MANAGERS) return;
  updaters.sort(([idA, a], [idB, b]) => seconds(a) - seconds(b) || compareText(idA, idB));
  const first = new Map<string, string>();
  for (const [id, manager] of updaters) {
    if (count <= MAX_UPDATE_MANAGERS) return;
    const { apiVersion } = manager;
    const firstId = first.get(apiVersion);
    if (firstId === undefined) {
      first.set(apiVersion, id);
      continue;
    }
    const bucket: Pick<Manager, 'name' | 'operation' | 'apiVersion'> = {
      name: ANCIENT_CHANGES,
      operation: 'Update',
      apiVersion,
    };
    const bucketId = managerId(bucket);
    const before = managers.get(bucketId) ?? managers.get(firstId);
    if (!managers.has(bucketId)) managers.delete(firstId);
    managers.delete(id);
    managers.set(bucketId, {
      ...bucket,
      fields: union(before?.fields ?? emptySet, manager.fields),
      ...(manager.time ? { time: manager.time } : {}),
    });
    count--;
  }
}
