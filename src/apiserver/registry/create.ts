import type { KindDefinition } from '../../api/kind.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { alreadyExists, badRequest, invalid, isStatusError, StatusError } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import { Entry } from '../watch-cache/entry.ts';
import { encodeStored } from '../watch-cache/object-encoding.ts';
import { Admission } from './admit.ts';
import { finishValidation } from './finish-validation.ts';
import { trackManagedFields } from './managed-fields.ts';
import { generatedName, placeInNamespace, setSystemFields, validateMetadata } from './object-metadata.ts';
import { cacheKey } from './object-storage.ts';
import { dropDuplicateOwners } from './owner-references.ts';
import { completeObject, readObject } from './read-object.ts';
import { hooksOf, type RegistryServices, timestamp } from './registry-services.ts';
import { fillZeroValues } from './zero-values.ts';

const NAME_ATTEMPTS = 8;

/** POST of a new object. The entry is in the stored version. */
export async function createFromRequest(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Entry> {
  const options = parseWriteOptions(context, 'CreateOptions');
  const { namespace } = context.info;
  if (definition.namespaced && !namespace) throw badRequest('an empty namespace may not be set during creation');
  const object = await readObject(context, definition, options.fieldValidation);
  placeInNamespace(object, definition, namespace);
  return createObject(services, context, definition, object, options, 'Update');
}

/** Takes `object`, decoded and with defaults, through admission and validation into the store. */
export async function createObject(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  object: Draft<UnstructuredObject>,
  options: WriteOptions,
  tracking: 'Update' | 'tracked',
): Promise<Entry> {
  if (object.metadata.resourceVersion)
    throw new StatusError({ code: 500, message: 'resourceVersion should not be set on objects to be created' });
  delete object.metadata.resourceVersion;
  const generateName = object.metadata.name ? undefined : object.metadata.generateName;
  if (!generateName) return attempt(services, context, definition, object, options, tracking);
  for (let left = NAME_ATTEMPTS; ; left--) {
    const named = left > 1 ? draft(object) : object;
    named.metadata.name = definition.generateNameIsName ? generateName : generatedName(generateName);
    try {
      return await attempt(services, context, definition, named as Draft<UnstructuredObject>, options, tracking);
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
      if (left <= 1) throw nameConflict(definition, named.metadata.name);
    }
  }
}

async function attempt(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  object: Draft<UnstructuredObject>,
  options: WriteOptions,
  tracking: 'Update' | 'tracked',
): Promise<Entry> {
  const { name, namespace = '' } = object.metadata;
  if (keepsNoStatus(definition)) {
    delete (object as { status?: unknown }).status;
    fillZeroValues(object, definition.schema);
  }
  dropDuplicateOwners(object, context.warnings);
  let tracked = object;
  if (tracking === 'Update')
    tracked = trackManagedFields(services, definition, object, undefined, options.fieldManager);
  const admission = new Admission(services, context, {
    operation: 'CREATE',
    definition,
    namespace,
    name: name ?? '',
    dryRun: options.dryRun,
    options: options.given,
  });
  if (await admission.mutate(tracked)) {
    placeInNamespace(tracked, definition, namespace);
    completeObject(tracked, definition);
    dropDuplicateOwners(tracked, context.warnings);
  }
  prepare(services, definition, tracked);
  const hookOptions = { dryRun: options.dryRun, user: context.user };
  const finish = await hooksOf(services, definition)?.beginCreate?.(tracked, hookOptions);
  let succeeded = false;
  try {
    const pending = validate(definition, tracked, context.warnings);
    if (pending) await pending;
    await admission.validate(tracked);
    context.warnings.push(...(definition.warnings?.(tracked) ?? []));
    const entry = options.dryRun
      ? await pretend(services, definition, tracked)
      : await services.storage.create(definition, tracked);
    succeeded = !options.dryRun;
    return entry;
  } finally {
    finish?.(succeeded);
  }
}

function prepare(services: RegistryServices, definition: KindDefinition, object: Draft<UnstructuredObject>): void {
  setSystemFields(object, timestamp(services.now()));
  if (definition.generation !== 'none') object.metadata.generation = 1;
  definition.prepareForCreate?.(object);
}

/** A promise when rules take long. */
function validate(
  definition: KindDefinition,
  object: UnstructuredObject,
  warnings: string[],
): Promise<void> | undefined {
  const errors = [
    ...validateMetadata(object, definition),
    ...(definition.validate?.(object) ?? []),
    ...(definition.validateCreate?.(object) ?? []),
  ];
  const name = object.metadata.name ?? object.metadata.generateName ?? '';
  if (definition.validateRules) return finishValidation(definition, name, object, undefined, errors, warnings);
  if (errors.length) throw invalid(definition, name, errors);
  return undefined;
}

/** Nodes come with the status that their kubelet found; other kinds begin with what their controller will say. */
function keepsNoStatus(definition: KindDefinition): boolean {
  return definition.subresources.status !== undefined && !(definition.group === '' && definition.resource === 'nodes');
}

async function pretend(
  services: RegistryServices,
  definition: KindDefinition,
  object: UnstructuredObject,
): Promise<Entry> {
  const { namespace = '', name } = object.metadata;
  if (await services.storage.get(definition, namespace, name)) throw alreadyExists(definition, name);
  return unstored(definition, object);
}

/** An entry for an object that is not (or not yet) in the store, in the stored version. */
export function unstored(definition: KindDefinition, object: UnstructuredObject, revision?: number): Entry {
  const { namespace = '', name } = object.metadata;
  const { storage } = definition;
  const stored =
    storage && !storage.convert && !storage.storesAsIs?.(object)
      ? (storage.toStorage(draft(object)) as UnstructuredObject)
      : object;
  return new UnstoredEntry(cacheKey(namespace, name), revision ?? 0, encodeStored(stored), stored);
}

/** A dry run's result: without a resourceVersion as long as it has none. */
class UnstoredEntry extends Entry {
  override get bytes(): Buffer {
    return this.revision === 0 ? this.stored : super.bytes;
  }

  override as(definition: KindDefinition): Entry {
    // What a webhook would convert was kept as it was given.
    if (!definition.storage || definition.storage.convert || definition.storage.servesAsIs?.(this.object)) return this;
    const served = definition.storage.fromStorage(draft(this.object)) as UnstructuredObject;
    return new UnstoredEntry(this.key, this.revision, encodeStored(served), served);
  }
}

function nameConflict(definition: KindDefinition, name: string): StatusError {
  const { status } = alreadyExists(definition, name);
  return new StatusError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${status.message}, the server was not able to generate a unique name for the object`,
    details: { ...status.details, retryAfterSeconds: 1 },
  });
}
