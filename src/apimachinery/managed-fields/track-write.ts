import type { ManagedFieldsEntry, UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { compare } from './compare.ts';
import { isEmpty, union } from './field-set.ts';
import { followSchema } from './follow-schema.ts';
import {
  capUpdateManagers,
  decodeManagers,
  encodeManagers,
  type Manager,
  type Managers,
  managerId,
  takeFromOthers,
} from './managers.ts';
import { ignoringChanges, ownable, timestamp, withoutManagedFields } from './ownable.ts';
import { changesByVersion, type Versions } from './versions.ts';

export interface TrackWriteOptions {
  /** As it will be stored, with the managedFields that the client sent. */
  readonly object: UnstructuredObject;
  /** As it is stored; absent on create. */
  readonly old?: UnstructuredObject | undefined;
  readonly schema: Schema;
  /** The `fieldManager` parameter, or what the user agent stands for. */
  readonly manager: string;
  readonly apiVersion: string;
  readonly operation?: 'Update';
  readonly subresource?: string | undefined;
  readonly now: Date | number | string;
  /** Dotted paths that this endpoint resets: `status` for the main resource of a kind with that subresource. */
  readonly ignore?: readonly string[];
  readonly versions?: Versions | undefined;
}

/** The object with its managedFields as they are after a create, update or patch. */
export function trackWrite(options: TrackWriteOptions): UnstructuredObject {
  const { object, old, schema, apiVersion, subresource } = options;
  const sent = object.metadata.managedFields;
  const stored = old?.metadata.managedFields;
  const managers = currentManagers(sent, stored, subresource !== undefined);
  // Whoever once emptied managedFields does not get them back before the next apply.
  if (managers.size === 0 && old?.metadata.uid) return withoutManagedFields(object);

  followSchema(managers, schema);
  const before = old ? withoutManagedFields(old) : { apiVersion: object.apiVersion, kind: object.kind, metadata: {} };
  const ignore = options.ignore ?? [];
  const after = withoutManagedFields(object);
  const changes = ignoringChanges(compare(before, after, schema), ignore);
  const changed = ownable(union(changes.added, changes.modified));
  if (isEmpty(changed) && isEmpty(changes.removed)) return withManagers(object, managers);

  const { versions } = options;
  takeFromOthers(
    managers,
    changesByVersion(changes, apiVersion, before as UnstructuredObject, after, { versions, ignore }),
  );
  if (!isEmpty(changed)) {
    const self: Omit<Manager, 'fields'> = {
      name: options.manager,
      operation: 'Update',
      apiVersion,
      ...(subresource ? { subresource } : {}),
      time: timestamp(options.now),
    };
    const id = managerId(self);
    const previous = managers.get(id);
    managers.set(id, { ...self, fields: previous ? union(previous.fields, changed) : changed });
    capUpdateManagers(managers);
  }
  return withManagers(object, managers);
}

/** A client may hand over managedFields with an update; an empty list or entry resets them. */
function currentManagers(
  sent: readonly ManagedFieldsEntry[] | undefined,
  stored: readonly ManagedFieldsEntry[] | undefined,
  isSubresource: boolean,
): Managers {
  const fallback = () => decodeManagers(stored) ?? new Map();
  if (isSubresource || sent === stored) return fallback();
  if (sent && (sent.length === 0 || (sent.length === 1 && Object.keys(sent[0] as object).length === 0)))
    return new Map();
  const managers = decodeManagers(sent);
  return managers && managers.size > 0 ? managers : fallback();
}

function withManagers(object: UnstructuredObject, managers: Managers): UnstructuredObject {
  const managedFields = encodeManagers(managers);
  if (!managedFields) return withoutManagedFields(object);
  const current = object.metadata.managedFields;
  if (current?.length === managedFields.length && current.every((entry, index) => entry === managedFields[index]))
    return object;
  return { ...object, metadata: { ...object.metadata, managedFields } };
}
