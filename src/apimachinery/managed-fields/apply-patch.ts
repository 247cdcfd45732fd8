import { deepEqual } from '../deep-equal.ts';
import { draft } from '../json.ts';
import type { UnstructuredObject } from '../meta.ts';
import type { Schema } from '../schema.ts';
import { badRequest, StatusError } from '../status-error.ts';
import { compare } from './compare.ts';
import { fieldsOf, mergeConfiguration, removeFields } from './configuration.ts';
import { configurationErrors } from './configuration-errors.ts';
import { type Conflicts, conflictError, withoutConflicts } from './conflicts.ts';
import { difference, emptySet, type FieldSet, intersection, isEmpty, union } from './field-set.ts';
import { followSchema } from './follow-schema.ts';
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
import { ignoring, ignoringChanges, ownable, type Reset, timestamp, withoutManagedFields } from './ownable.ts';
import { trackWrite } from './track-write.ts';
import { changesByVersion, type Versions } from './versions.ts';

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
  readonly ignore?: Reset;
  /** How the client knows all that can be in conflict, when it sees the object as one of another kind. */
  readonly conflictsAs?: { readonly apiVersion: string; readonly fields: FieldSet };
  readonly versions?: Versions | undefined;
  /** `checkConfiguration` has been called. */
  readonly checked?: boolean;
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
  if (!options.checked) checkConfiguration(config, { schema, apiVersion });

  let stored = options.live;
  // Fields that were there before anyone applied get an owner, so that taking them is a conflict.
  if (stored && (stored.metadata.managedFields ?? []).length === 0) {
    stored = trackWrite({ object: stored, schema, manager: 'before-first-apply', apiVersion, subresource, now });
  }
  const managers = decodeManagers(stored?.metadata.managedFields);
  if (!managers) throw new StatusError({ code: 500, message: 'failed to decode managed fields' });
  followSchema(managers, schema);
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
    const { apiVersion: seen, fields } = options.conflictsAs ?? {};
    if (remaining.length > 0)
      throw conflictError(
        seen === undefined || !fields
          ? remaining
          : remaining.map((conflict) => ({ manager: { ...conflict.manager, apiVersion: seen }, fields })),
      );
    result = mergeAndOwn(options, live, managers, self, true);
  }

  let object = result.object;
  if (manager === 'kubectl') object = syncLastApplied(live, object, config);
  const unchanged = options.live !== undefined && deepEqual(live, object);
  const id = managerId(self);
  const previous = managers.get(id);
  const owned = result.managers.get(id);
  if (owned) {
    const same = previous && deepEqual(previous.fields, owned.fields) && previous.apiVersion === apiVersion;
    // Who only comes to share what is as it wants it has changed nothing at that time.
    const time = unchanged ? previous?.time : timestamp(now);
    result.managers.set(id, unchanged && same ? previous : { ...owned, ...(time ? { time } : {}) });
  }
  const managedFields = encodeManagers(result.managers);
  object = { ...object, metadata: { ...object.metadata, ...(managedFields ? { managedFields } : {}) } };
  return { object: draft(object) as UnstructuredObject, unchanged };
}

/** Throws StatusError for a configuration that cannot be applied, as the client sent it, to a resource of the kind. */
export function checkConfiguration(
  config: UnstructuredObject,
  { schema, apiVersion, kind }: { readonly schema: Schema; readonly apiVersion: string; readonly kind?: string },
): void {
  const given = config.apiVersion ?? '';
  if (kind !== undefined && (given !== apiVersion || config.kind !== kind))
    throw badRequest(`invalid object type: ${kindText(config)}`);
  if (given !== apiVersion)
    throw badRequest(
      `Incorrect version specified in apply patch. Specified patch version: ${given}, expected: ${apiVersion}`,
    );
  if (config.metadata?.managedFields !== undefined && config.metadata.managedFields !== null)
    throw badRequest('metadata.managedFields must be nil');
  const errors = configurationErrors(config, schema);
  if (errors.length > 1) throw untypable(config, `errors:\n${errors.map((error) => `  ${error}`).join('\n')}`);
  if (errors.length > 0) throw untypable(config, errors[0]!);
}

/** The failure of what the typed form of a configuration cannot tell: a quantity that is none. */
export function unconvertible(config: UnstructuredObject, why: string): StatusError {
  const message = `unable to convert unstructured object to ${kindText(config)}: ${why}`;
  const { namespace = '', name = '' } = config.metadata ?? {};
  return new StatusError({
    code: 500,
    message: `failed to convert new object (${namespace}/${name}; ${kindText(config)}) to proper version: ${message}`,
  });
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
  const { config, schema, versions } = options;
  const ignore = options.ignore ?? [];
  const managers: Managers = new Map(before);
  const id = managerId(self);
  const last = before.get(id);
  const fields = ignoring(fieldsOf(config, schema), ignore);
  managers.set(id, { ...self, fields });

  const merged = mergeConfiguration(live, config, schema);
  const object = withoutGivenUp(merged as UnstructuredObject, managers, last, options);
  const changes = ignoringChanges(compare(live, object, schema), ignore);
  const changesOf = changesByVersion(changes, options.apiVersion, live, object, { versions, ignore });
  const conflicts = findConflicts(managers, changesOf, id);
  if (!force && conflicts.size > 0)
    return {
      object,
      managers,
      conflicts: [...conflicts].map(([other, set]) => ({ manager: before.get(other) as Manager, fields: set })),
    };
  takeFromOthers(managers, changesOf, id);
  const owned = ownable(difference(fields, changes.removed));
  if (isEmpty(owned)) managers.delete(id);
  else managers.set(id, { ...self, fields: owned });
  return { object, managers, conflicts: [] };
}

/** Pruned in the version in which the manager applied last time. */
function withoutGivenUp(
  merged: UnstructuredObject,
  managers: Managers,
  last: Manager | undefined,
  { schema, apiVersion, versions }: ApplyPatchOptions,
): UnstructuredObject {
  if (!last) return merged;
  if (last.apiVersion === apiVersion || !versions)
    return prune(merged, managers, last.fields, schema) as UnstructuredObject;
  const version = versions(last.apiVersion);
  if (!version) return merged;
  const converted = version.convert(merged);
  const pruned = prune(converted, managers, last.fields, version.schema) as UnstructuredObject;
  return pruned === converted ? merged : version.revert(pruned);
}

/** Removes what the manager applied last time and not this time, unless another manager claims it. */
function prune(merged: unknown, managers: Managers, lastSet: FieldSet, schema: Schema): unknown {
  if (isEmpty(lastSet)) return merged;
  let claimed = emptySet;
  for (const manager of managers.values()) claimed = union(claimed, manager.fields);
  if (isEmpty(difference(lastSet, claimed))) return merged;
  const mergedSet = fieldsOf(merged, schema);
  const withoutLast = removeFields(merged, lastSet, schema) ?? {};
  const kept = union(fieldsOf(withoutLast, schema), claimed);
  const withOwned = removeFields(merged, difference(mergedSet, kept), schema) ?? {};
  // Below an item that goes there may be fields that the manager never had: those bring the item back.
  const gone = difference(mergedSet, fieldsOf(withOwned, schema));
  return removeFields(merged, intersection(gone, lastSet), schema, claimed) ?? {};
}

function untypable(config: UnstructuredObject, why: string): StatusError {
  const { namespace = '', name = '' } = config.metadata ?? {};
  return new StatusError({
    code: 500,
    message: `failed to create typed patch object (${namespace}/${name}; ${kindText(config)}): ${why}`,
  });
}

/** As Go prints a GroupVersionKind. */
function kindText({ apiVersion = '', kind = '' }: Partial<UnstructuredObject>): string {
  return `${apiVersion.includes('/') ? '' : '/'}${apiVersion}, Kind=${kind}`;
}
