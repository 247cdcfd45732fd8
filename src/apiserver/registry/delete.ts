import { answersDeletedObject } from '../../api/deleted-object.ts';
import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { DeleteOptions, Status, UnstructuredObject } from '../../apimachinery/meta.ts';
import { isStatusError, notFound } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { objectResult, type Result } from '../request/result.ts';
import { type Entry, namespaceOfKey } from '../watch-cache/entry.ts';
import { compileSelection } from '../watch-cache/filter.ts';
import { list } from '../watch-cache/list.ts';
import { Admission } from './admit.ts';
import { unstored } from './create.ts';
import { checkPreconditions, readDeleteOptions } from './delete-options.ts';
import { hooksOf, type RegistryServices, timestamp } from './registry-services.ts';

const ORPHAN = 'orphan';
const FOREGROUND = 'foregroundDeletion';
const COLLECTION_WORKERS = 8;

/** Kinds that leave their dependents alone unless the request says otherwise: they are older than the garbage collector. */
const orphansByDefault = new Set(['replicationcontrollers', 'jobs.batch']);
const ORPHANED_PODS =
  'child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning';

export interface DeleteTarget {
  readonly definition: KindDefinition;
  readonly namespace: string;
  readonly name: string;
}

/** What a deletion leaves: the object still to be finished, or its last state. */
export interface Deletion {
  readonly entry: Entry;
  readonly gone: boolean;
}

/** DELETE of one object. */
export async function deleteFromRequest(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const options = await readDeleteOptions(context);
  warnOfOrphans(context, definition, options);
  const { namespace, name } = context.info;
  const target = { definition, namespace: definition.namespaced ? namespace : '', name };
  const { entry, gone } = await deleteObject(services, context, target, options);
  const status = !gone && options.orphanDependents === false ? 202 : 200;
  if (gone && !answersDeletedObject(definition)) return objectResult(success(definition, entry.object), status);
  return { type: 'entry', status, definition, entry };
}

/** Throws NotFound, or Conflict when a precondition does not hold. */
export async function deleteObject(
  services: RegistryServices,
  context: RequestContext,
  target: DeleteTarget,
  options: DeleteOptions,
): Promise<Deletion> {
  const { definition, namespace, name } = target;
  const { storage } = services;
  const dryRun = (options.dryRun?.length ?? 0) > 0;
  let current = await storage.get(definition, namespace, name);
  let admittedFor: string | undefined;
  for (;;) {
    if (!current) throw notFound(definition, name);
    const old = current.as(definition).object;
    checkPreconditions(definition, old, options.preconditions);
    if (admittedFor !== old.metadata.uid) {
      await admit(services, context, target, options, old);
      admittedFor = old.metadata.uid;
    }
    const marked = mark(services, definition, old, options);
    if (marked === 'pending') return { entry: current, gone: false };
    if (dryRun)
      return {
        entry: marked === 'now' ? current : unstored(definition, marked, current.revision),
        gone: marked === 'now',
      };
    const outcome =
      marked === 'now'
        ? await storage.delete(definition, current)
        : await storage.replace(definition, marked, current.revision);
    if (outcome.written) {
      if (marked !== 'now') return { entry: outcome.written, gone: false };
      hooksOf(services, definition)?.afterDelete?.(old);
      return { entry: outcome.written, gone: true };
    }
    current = outcome.current;
  }
}

async function admit(
  services: RegistryServices,
  context: RequestContext,
  { definition, namespace, name }: DeleteTarget,
  options: DeleteOptions,
  oldObject: UnstructuredObject,
): Promise<void> {
  const admission = new Admission(services, context, {
    operation: 'DELETE',
    definition,
    namespace,
    name,
    dryRun: (options.dryRun?.length ?? 0) > 0,
    options: { ...options, kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/v1' },
    oldObject,
  });
  await admission.validate(undefined);
}

/**
 * `now`: nothing keeps the object. `pending`: it is being deleted already and the request changes nothing. Otherwise the
 * object as it is to be stored until its grace period is over or its finalizers are gone.
 */
function mark(
  services: RegistryServices,
  definition: KindDefinition,
  old: UnstructuredObject,
  options: DeleteOptions,
): 'now' | 'pending' | UnstructuredObject {
  const object = draft(old) as Draft<UnstructuredObject>;
  const hooks = hooksOf(services, definition);
  if (hooks?.markForDeletion) {
    if (old.metadata.deletionTimestamp && hooks.holdsDeletion?.(old)) return 'pending';
    if (!old.metadata.deletionTimestamp && hooks.markForDeletion(object, services.now())) {
      setPropagation(definition, object, options);
      return object;
    }
  }
  const grace = markGraceful(services, definition, object, options);
  if (grace === 'pending') return 'pending';
  setPropagation(definition, object, options);
  const pendingFinalizers = (object.metadata.finalizers?.length ?? 0) > 0;
  if (grace === 0 || grace === undefined) {
    if (!pendingFinalizers) return 'now';
    if (grace === undefined && !markAsDeleting(object, services.now()) && samePropagation(object, old))
      return 'pending';
  }
  return object;
}

/** `undefined`: the kind knows no grace. Otherwise the seconds that the object is given. */
function markGraceful(
  services: RegistryServices,
  definition: KindDefinition,
  object: Draft<UnstructuredObject>,
  { gracePeriodSeconds }: DeleteOptions,
): number | undefined | 'pending' {
  if (!definition.gracePeriod) return undefined;
  const meta = object.metadata;
  const requested = gracePeriodSeconds !== undefined && gracePeriodSeconds < 0 ? 1 : gracePeriodSeconds;
  if (meta.deletionTimestamp) {
    const before = meta.deletionGracePeriodSeconds;
    if (!before) return undefined;
    if (requested === undefined || requested >= before) return 'pending';
    meta.deletionTimestamp = timestamp(Date.parse(meta.deletionTimestamp) + (requested - before) * 1000);
    meta.deletionGracePeriodSeconds = requested;
    return requested;
  }
  const seconds = definition.gracePeriod(object, requested);
  if (seconds === undefined) return undefined;
  meta.deletionTimestamp = timestamp(services.now() + seconds * 1000);
  meta.deletionGracePeriodSeconds = seconds;
  if (meta.generation) meta.generation++;
  return seconds;
}

/** Returns whether it was not marked before. */
function markAsDeleting(object: Draft<UnstructuredObject>, now: number): boolean {
  const meta = object.metadata;
  if (meta.deletionTimestamp) return false;
  meta.deletionTimestamp = timestamp(now);
  if (meta.deletionGracePeriodSeconds === undefined && meta.generation) meta.generation++;
  meta.deletionGracePeriodSeconds = 0;
  return true;
}

const idOf = ({ group, resource }: KindDefinition): string => (group ? `${resource}.${group}` : resource);

const isDecided = ({ propagationPolicy, orphanDependents }: DeleteOptions): boolean =>
  propagationPolicy !== undefined || orphanDependents !== undefined;

function warnOfOrphans(context: RequestContext, definition: KindDefinition, options: DeleteOptions): void {
  if (idOf(definition) === 'jobs.batch' && !isDecided(options)) context.warnings.push(ORPHANED_PODS);
}

function propagationOf(
  definition: KindDefinition,
  finalizers: readonly string[],
  options: DeleteOptions,
): string | undefined {
  const { propagationPolicy, orphanDependents } = options;
  // Nothing depends on an event.
  if (definition.kind === 'Event' && ['', 'events.k8s.io'].includes(definition.group)) return undefined;
  if (isDecided(options)) return orphanDependents ? 'Orphan' : propagationPolicy;
  const asked = finalizers.find((name) => name === ORPHAN || name === FOREGROUND);
  if (asked) return asked === ORPHAN ? 'Orphan' : 'Foreground';
  return orphansByDefault.has(idOf(definition)) ? 'Orphan' : 'Background';
}

/** The garbage collector learns from these finalizers what is to become of the dependents. */
function setPropagation(definition: KindDefinition, object: Draft<UnstructuredObject>, options: DeleteOptions): void {
  const existing = object.metadata.finalizers ?? [];
  const policy = propagationOf(definition, existing, options);
  const finalizers = existing.filter((name) => name !== ORPHAN && name !== FOREGROUND);
  if (policy === 'Orphan') finalizers.push(ORPHAN);
  else if (policy === 'Foreground') finalizers.push(FOREGROUND);
  if (finalizers.length) object.metadata.finalizers = finalizers;
  else delete object.metadata.finalizers;
}

function samePropagation(object: UnstructuredObject, old: UnstructuredObject): boolean {
  const before = old.metadata.finalizers ?? [];
  const after = object.metadata.finalizers ?? [];
  return before.length === after.length && after.every((name) => before.includes(name));
}

/** DELETE of a collection: every object that the selectors name. */
export async function deleteCollection(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const options = await readDeleteOptions(context);
  warnOfOrphans(context, definition, options);
  const { query, info } = context;
  const selection = compileSelection(
    definition,
    definition.namespaced ? info.namespace : '',
    query.get('labelSelector') ?? undefined,
    query.get('fieldSelector') ?? undefined,
  );
  const { cache, storage } = services;
  const { entries, revision } = await list({ cache, store: storage.store }, definition, selection, { limit: 0 });
  const deleted: Entry[] = [];
  const queue = entries.values();
  const worker = async () => {
    for (const found of queue) {
      const namespace = namespaceOfKey(found.key);
      const { name } = found.object.metadata;
      try {
        const { entry } = await deleteObject(services, context, { definition, namespace, name }, options);
        deleted.push(entry);
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: COLLECTION_WORKERS }, worker));
  return { type: 'list', definition, entries: deleted, metadata: { resourceVersion: String(revision) } };
}

function success(definition: KindDefinition, object: UnstructuredObject): Status {
  const { group, resource } = definition;
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: {
      name: object.metadata.name,
      ...(group ? { group } : {}),
      kind: resource,
      ...(object.metadata.uid ? { uid: object.metadata.uid } : {}),
    },
  } as Status;
}
