import { deepEqual } from '../deep-equal.ts';
import { draft } from '../json.ts';
import type { UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { compare } from './compare.ts';
import { configurationErrors, fieldsOf, mergeConfiguration, removeFields } from './configuration.ts';
import { type Conflicts, conflictError, withoutConflicts } from './conflicts.ts';
import { difference, emptySet, type FieldSet, intersection, isEmpty, union } from './field-set.ts';
import { lastAppliedFields, syncLastApplied } from './last-applied.ts';
import {
  decodeManagers,
  encodeManagers,
  findConflicts,
  type Manager,
  type Managers,
  managerId,
  takeFromOthers,
} from './managers.ts';
import { ignoring, ignoringChanges, ownable, timestamp, withoutManagedFields } from './ownable.ts';
import { trackWrite } from './track-write.ts';

export interface ApplyPatchOptions {
  /** Absent: the configuration creates the object. */
  readonly live: UnstructuredObject | undefined;
  /** The applied configuration. */
  readonly config: UnstructuredObject;
  readonly schema: Schema;
  readonly manager: string;
  /** Of the endpoint, in which the configuration must be. */
  readonly apiVersion: string;
  readonly subresource?: string | undefined;
  /** Take fields over from their managers instead of failing. */
  readonly force: boolean;
  readonly now: Date | number | string;
  /** Dotted paths that this endpoint resets: `status` for the main resource of a kind with that subresource. */
  readonly ignore?: readonly string[];
}

export interface Applied {
  readonly object: UnstructuredObject;
  /** Nothing but managedFields can differ from `live`. */
  readonly unchanged: boolean;
}

/**
 * Server-side apply: the configuration merged into the object, without the fields that its manager owned alone and no
 * longer wants. Throws StatusError 409 with a cause per conflict.
 */
export function applyPatch(options: ApplyPatchOptions): Applied {
  const { config, schema, apiVersion, manager, subresource, now } = options;
  if (config.apiVersion !== apiVersion)
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${config.apiVersion}, expected: ${apiVersion}`,
    );
  if (config.metadata?.managedFields !== undefined && config.metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  const errors = configurationErrors(config, schema);
  if (errors.length > 0) throw untypable(config, errors);

  let stored = options.live;
  // Fields that were there before anyone applied get an owner, so that taking them is a conflict.
  if (stored && (stored.metadata.managedFields ?? []).length === 0) {
    stored = trackWrite({ object: stored, schema, manager: 'before-first-apply', apiVersion, subresource, now });
  }
  const managers = decodeManagers(stored?.metadata.managedFields);
  if (!managers) throw badRequest('failed to decode managed fields');
  const live = stored
    ? withoutManagedFields(stored)
    : ({ apiVersion: config.apiVersion, kind: config.kind, metadata: {} } as UnstructuredObject);

  const self: Omit<Manager, 'fields'> = {
    name: manager,
    operation: 'Apply',
    apiVersion,
    ...(subresource ? { subresource } : {}),
  };
  const outcome = mergeAndOwn(options, live, managers, self, options.force);
  let result = outcome;
  if (outcome.conflicts.length > 0) {
    // `kubectl apply --server-side` takes over from `kubectl apply` what the latter left as it applied it.
    const allowed = manager === 'kubectl' ? lastAppliedFields(live, schema, apiVersion) : undefined;
    const remaining = allowed ? withoutConflicts(outcome.conflicts, allowed) : outcome.conflicts;
    if (remaining.length > 0) throw conflictError(remaining);
    result = mergeAndOwn(options, live, managers, self, true);
  }

  let object = result.object;
  if (manager === 'kubectl') object = syncLastApplied(live, object, config);
  const unchanged = options.live !== undefined && deepEqual(live, object);
  const id = managerId(self);
  const previous = managers.get(id);
  const owned = result.managers.get(id);
  if (owned) {
    const kept =
      unchanged && previous && deepEqual(previous.fields, owned.fields) && previous.apiVersion === apiVersion;
    result.managers.set(id, kept ? previous : { ...owned, time: timestamp(now) });
  }
  const managedFields = encodeManagers(result.managers);
  object = { ...object, metadata: { ...object.metadata, ...(managedFields ? { managedFields } : {}) } };
  return { object: draft(object) as UnstructuredObject, unchanged };
}

interface Outcome {
  readonly object: UnstructuredObject;
  readonly managers: Managers;
  readonly conflicts: Conflicts;
}

function mergeAndOwn(
  options: ApplyPatchOptions,
  live: UnstructuredObject,
  before: Managers,
  self: Omit<Manager, 'fields'>,
  force: boolean,
): Outcome {
  const { config, schema } = options;
  const ignore = options.ignore ?? [];
  const managers: Managers = new Map(before);
  const id = managerId(self);
  const lastSet = before.get(id)?.fields ?? emptySet;
  const fields = ignoring(fieldsOf(config, schema), ignore);
  managers.set(id, { ...self, fields });

  const merged = mergeConfiguration(live, config, schema);
  const object = prune(merged, managers, lastSet, schema) as UnstructuredObject;
  const changes = ignoringChanges(compare(live, object, schema), ignore);
  const conflicts = findConflicts(managers, changes, id);
  if (!force && conflicts.size > 0)
    return {
      object,
      managers,
      conflicts: [...conflicts].map(([other, set]) => ({ manager: before.get(other) as Manager, fields: set })),
    };
  takeFromOthers(managers, changes, id);
  const owned = ownable(difference(fields, changes.removed));
  if (isEmpty(owned)) managers.delete(id);
  else managers.set(id, { ...self, fields: owned });
  return { object, managers, conflicts: [] };
}

/** Removes what the manager applied last time and not this time, unless another applier claims it. */
function prune(merged: unknown, managers: Managers, lastSet: FieldSet, schema: Schema): unknown {
  if (isEmpty(lastSet)) return merged;
  let claimed = emptySet;
  for (const manager of managers.values()) if (manager.operation === 'Apply') claimed = union(claimed, manager.fields);
  if (isEmpty(difference(lastSet, claimed))) return merged;
  const mergedSet = fieldsOf(merged, schema);
  const withoutLast = removeFields(merged, lastSet, schema) ?? {};
  const kept = union(fieldsOf(withoutLast, schema), claimed);
  const withOwned = removeFields(merged, difference(mergedSet, kept), schema) ?? {};
  // Below an item that goes there may be fields that the manager never had: those bring the item back.
  const gone = difference(mergedSet, fieldsOf(withOwned, schema));
  return removeFields(merged, intersection(gone, lastSet), schema, claimed) ?? {};
}

function untypable(config: UnstructuredObject, errors: readonly string[]): StatusError {
  const { namespace = '', name = '' } = config.metadata ?? {};
  const text = errors.length === 1 ? errors[0] : `errors:\n${errors.map((error) => `  ${error}`).join('\n')}`;
  return new StatusError({
    code: 500,
    message: `failed to create typed patch object (${namespace}/${name}; ${config.apiVersion}, Kind=${config.kind}): ${text}`,
  });
}
