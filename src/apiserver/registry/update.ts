import type { KindDefinition } from '../../api/kind.ts';
import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { apiVersionOf, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest, invalid, modifiedConflict, notFound } from '../../apimachinery/status-error.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import type { RequestContext } from '../request/request-context.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { Admission } from './admit.ts';
import { createObject, unstored } from './create.ts';
import { finishValidation } from './finish-validation.ts';
import { trackManagedFields } from './managed-fields.ts';
import { generationChanged, unchanged } from './object-changes.ts';
import { carryOverMetadata, placeInNamespace, validateMetadata, validateMetadataUpdate } from './object-metadata.ts';
import { dropDuplicateOwners } from './owner-references.ts';
import { completeObject, readObject } from './read-object.ts';
import { hooksOf, type RegistryServices } from './registry-services.ts';
import { uidConflict } from './uid-conflict.ts';

/** How a subresource turns what the client sent into a new state of the object. */
export interface SubresourceStrategy {
  readonly name: string;
  /** What it changes makes no new generation. */
  readonly keepsGeneration?: boolean;
  /** Leaves in `object` only the changes that the subresource may make; `old` is the object as it is. */
  prepare(object: Draft<UnstructuredObject>, old: UnstructuredObject): void;
  validate(object: UnstructuredObject, old: UnstructuredObject): ReturnType<NonNullable<KindDefinition['validate']>>;
  warnings?(object: UnstructuredObject, old: UnstructuredObject): readonly string[];
}

export interface UpdateInput {
  readonly definition: KindDefinition;
  readonly namespace: string;
  readonly name: string;
  readonly options: WriteOptions;
  readonly subresource?: SubresourceStrategy;
  /** The new object, decoded and with defaults, made from the current one. Called again after a lost race. */
  next(old: UnstructuredObject): Promise<Draft<UnstructuredObject>> | Draft<UnstructuredObject>;
  /** What to do when there is no such object; absent: 404. */
  create?(): Promise<Entry>;
  /** Managed fields are in `next`'s result already (server-side apply). */
  readonly tracked?: boolean;
  /** Admission has seen the request in another form (a Binding). */
  readonly admitted?: boolean;
  /** Refuses on a stale resourceVersion in the object; a patch without one tries again instead. */
  readonly requireResourceVersion?: boolean;
}

/** PUT. `created` tells 201 from 200. */
export async function updateFromRequest(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  subresource?: SubresourceStrategy,
): Promise<{ entry: Entry; created: boolean }> {
  const options = parseWriteOptions(context, 'UpdateOptions');
  const { name } = context.info;
  const namespace = definition.namespaced ? context.info.namespace : '';
  let created = false;
  const read = async () => {
    const object = await readObject(context, definition, options.fieldValidation);
    const given = object.metadata.name;
    if (!given)
      throw badRequest(`the name of the object (${name} based on URL) was undeterminable: name must be provided`);
    if (given !== name)
      throw badRequest(`the name of the object (${given}) does not match the name on the URL (${name})`);
    placeInNamespace(object, definition, namespace);
    return object;
  };
  // Read before the object is looked for: a bad body is the first thing to be told.
  let first: Draft<UnstructuredObject> | undefined = await read();
  const next = async () => {
    const object = first ?? (await read());
    first = undefined;
    return object;
  };
  const entry = await updateObject(services, context, {
    definition,
    namespace,
    name,
    options,
    next,
    requireResourceVersion: definition.requireResourceVersionOnUpdate === true,
    ...(subresource ? { subresource } : {}),
    ...(definition.createOnUpdate && !subresource
      ? {
          create: async () => {
            await mayCreate(services, context);
            created = true;
            const object = await next();
            delete object.metadata.resourceVersion;
            return createObject(services, context, definition, object, options, 'Update');
          },
        }
      : {}),
  });
  return { entry, created };
}

/** Reads, changes and writes an object until no other writer comes between. The entry is in the stored version. */
export async function updateObject(
  services: RegistryServices,
  context: RequestContext,
  input: UpdateInput,
): Promise<Entry> {
  const { definition, namespace, name } = input;
  const { storage } = services;
  let current = await storage.get(definition, namespace, name);
  for (;;) {
    if (!current) {
      if (input.create) return input.create();
      throw notFound(definition, name);
    }
    const old = current.as(definition).object;
    const object = await input.next(old);
    checkIdentity(definition, object, old, input);
    const step = await oneUpdate(services, context, input, object, old);
    if (step.kind === 'unchanged' && !(await storage.isStale(definition, current))) return current;
    let outcome: Awaited<ReturnType<typeof storage.replace>>;
    let succeeded = false;
    try {
      if (input.options.dryRun) return unstored(definition, step.object, current.revision);
      outcome =
        step.kind === 'delete'
          ? await storage.delete(definition, current)
          : await storage.replace(definition, step.object, current.revision);
      succeeded = outcome.written !== undefined;
    } finally {
      step.finish?.(succeeded);
    }
    if (outcome.written) {
      if (step.kind === 'delete') hooksOf(services, definition)?.afterDelete?.(old);
      return outcome.written;
    }
    // The next round refuses a resourceVersion that the client named, for it is not the current one any more.
    current = outcome.current;
  }
}

interface UpdateStep {
  readonly kind: 'write' | 'delete' | 'unchanged';
  readonly object: UnstructuredObject;
  readonly finish?: ((succeeded: boolean) => void) | undefined;
}

async function oneUpdate(
  services: RegistryServices,
  context: RequestContext,
  input: UpdateInput,
  given: Draft<UnstructuredObject>,
  old: UnstructuredObject,
): Promise<UpdateStep> {
  const { definition, options, subresource } = input;
  let object = given;
  carryOverMetadata(object, old);
  dropDuplicateOwners(object, context.warnings);
  restrict(definition, subresource, object, old);
  if (!input.tracked)
    object = trackManagedFields(services, definition, object, old, options.fieldManager, subresource?.name);
  const admission = new Admission(services, context, {
    operation: 'UPDATE',
    definition,
    subresource: subresource?.name ?? '',
    namespace: input.namespace,
    name: input.name,
    dryRun: options.dryRun,
    options: options.given,
    oldObject: old,
  });
  if (!input.admitted && (await admission.mutate(object))) {
    completeObject(object, definition);
    dropDuplicateOwners(object, context.warnings);
  }
  restrict(definition, subresource, object, old);
  if (!subresource) definition.prepareForUpdate?.(object, old);
  const hooks = hooksOf(services, definition);
  const hookOptions = { dryRun: options.dryRun, user: context.user };
  const finish = subresource ? undefined : await hooks?.beginUpdate?.(object, old, hookOptions);
  let reserved = true;
  try {
    if (!subresource?.keepsGeneration && generationChanged(definition, object, old))
      object.metadata.generation = (old.metadata.generation ?? 0) + 1;
    const pending = validate(definition, subresource, object, old, context.warnings);
    if (pending) await pending;
    if (!input.admitted) await admission.validate(object);
    context.warnings.push(...((subresource ?? definition).warnings?.(object, old) ?? []));
    const gone =
      old.metadata.deletionTimestamp &&
      !object.metadata.finalizers?.length &&
      !object.metadata.deletionGracePeriodSeconds &&
      !hooks?.holdsDeletion?.(object);
    if (gone) {
      reserved = false;
      return { kind: 'delete', object, finish };
    }
    if (unchanged(object, old)) return { kind: 'unchanged', object };
    reserved = false;
    return { kind: 'write', object, finish };
  } finally {
    if (reserved) finish?.(false);
  }
}

/** Status is for `/status` alone to change, and all else is not for it. */
function restrict(
  definition: KindDefinition,
  subresource: SubresourceStrategy | undefined,
  object: Draft<UnstructuredObject>,
  old: UnstructuredObject,
): void {
  if (subresource) subresource.prepare(object, old);
  else if (definition.subresources.status) {
    const { status } = old as { status?: unknown };
    if (status === undefined) delete (object as { status?: unknown }).status;
    else (object as { status?: unknown }).status = draft(status);
  }
}

/** A promise when rules take long. */
function validate(
  definition: KindDefinition,
  subresource: SubresourceStrategy | undefined,
  object: UnstructuredObject,
  old: UnstructuredObject,
  warnings: string[],
): Promise<void> | undefined {
  const errors = [...validateMetadata(object, definition), ...validateMetadataUpdate(object, old)];
  if (subresource) errors.push(...subresource.validate(object, old));
  else errors.push(...(definition.validate?.(object, old) ?? []), ...(definition.validateUpdate?.(object, old) ?? []));
  const { name } = object.metadata;
  if (definition.validateRules) return finishValidation(definition, name, object, old, errors, warnings);
  if (errors.length) throw invalid(definition, name, errors);
  return undefined;
}

/** Refuses when the object is not of the uid and resourceVersion that the client has in mind. */
function checkIdentity(
  definition: KindDefinition,
  object: Draft<UnstructuredObject>,
  old: UnstructuredObject,
  input: UpdateInput,
): void {
  const { name } = input;
  const { uid, resourceVersion } = object.metadata;
  if (uid && uid !== old.metadata.uid) throw uidConflict(definition, uid, old);
  if (!resourceVersion || resourceVersion === '0') {
    if (input.requireResourceVersion)
      throw invalid(definition, name, [
        invalidValue(FieldPath.of('metadata', 'resourceVersion'), 0, 'must be specified for an update'),
      ]);
    return;
  }
  if (resourceVersion !== old.metadata.resourceVersion) throw modifiedConflict(definition, name);
}

async function mayCreate(services: RegistryServices, { info, user }: RequestContext): Promise<void> {
  const attributes = { ...info, user, verb: 'create', name: info.name };
  const { decision, reason } = await services.authorization.authorize(attributes);
  if (decision !== 'allow') throw accessDenied(attributes, reason);
}

/** `/status`: the new status on the old object; labels and annotations may come along. */
export function statusStrategy(definition: KindDefinition): SubresourceStrategy {
  const rules = definition.subresources.status;
  return {
    name: 'status',
    prepare(object, old) {
      const { status } = object as { status?: unknown };
      const given = object.metadata;
      for (const key of Object.keys(object)) delete (object as Record<string, unknown>)[key];
      const { labels, annotations, managedFields, resourceVersion } = given;
      const metadata = {
        ...draft(old.metadata),
        labels,
        annotations,
        managedFields,
        resourceVersion,
      };
      Object.assign(object, draft({ ...old, metadata: undefined }), {
        apiVersion: apiVersionOf(definition.group, definition.version),
        kind: definition.kind,
        metadata,
      });
      if (status === undefined) delete (object as { status?: unknown }).status;
      else (object as { status?: unknown }).status = status;
      rules?.prepareForUpdate?.(object, old);
    },
    validate: (object, old) => rules?.validateUpdate?.(object, old) ?? [],
    warnings: (object, old) => rules?.warnings?.(object, old) ?? [],
  };
}
