import { ageColumn, column, nameColumn } from '../../api/columns.ts';
import type { KindDefinition, ScaleDefinition } from '../../api/kind.ts';
import { schemaOf } from '../../api/schema.ts';
import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { applyPatch } from '../../apimachinery/managed-fields/apply-patch.ts';
import type { FieldSet } from '../../apimachinery/managed-fields/field-set.ts';
import { apiVersionOf, type KubeObject, type UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest, conflict, internalError, invalid, notFound } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { objectResult, type Result } from '../request/result.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import { appliedConfiguration } from './applied-configuration.ts';
import { otherVersions } from './managed-fields.ts';
import { isApply, isCustom, type PatchRequest, readPatch } from './patch-request.ts';
import { patchedObject } from './patched-object.ts';
import { type DecodeTarget, readObject } from './read-object.ts';
import { type RegistryServices, timestamp } from './registry-services.ts';
import { withoutMethod } from './resource-operations.ts';
import { updateObject } from './update.ts';

const REPLICAS: FieldSet = { 'f:spec': { 'f:replicas': {} } };

interface Scale extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
}

const columns = [
  nameColumn,
  column<Scale>('Desired', ({ spec }) => spec.replicas ?? 0, {
    type: 'integer',
    description: 'Replicas that are wanted',
  }),
  column<Scale>('Available', ({ status }) => status.replicas, {
    type: 'integer',
    description: 'Replicas that there are',
  }),
  ageColumn,
];

function scaleResult(scale: Scale): Result {
  return { ...objectResult(scale), columns };
}

function scaleTarget(): DecodeTarget {
  return { group: 'autoscaling', version: 'v1', kind: 'Scale', schema: schemaOf('autoscaling.v1.Scale') };
}

/** GET, PUT and PATCH of `/scale`. */
export async function serveScale(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const scale = definition.subresources.scale!;
  const { namespace, name, verb } = context.info;
  if (verb === 'get') {
    const entry = await services.storage.get(definition, namespace, name);
    if (!entry) throw notFound(definition, name);
    const { object } = entry.as(definition);
    // Built-in kinds have a default; of others nobody says how many there are to be.
    if (definition.schema.name === undefined && scale.getReplicas(object) === undefined)
      throw internalError(`the spec replicas field ${JSON.stringify(scale.specPath)} does not exist`);
    return scaleResult(scaleOf(scale, object));
  }
  if (verb !== 'update' && verb !== 'patch') throw withoutMethod(definition, verb);
  const patch = verb === 'update' ? undefined : await readPatch(context, isCustom(definition));
  const apply = patch !== undefined && isApply(patch);
  const { options, next } = patch ? patchedScale(context, scale, patch) : await replacement(context);
  const entry = await updateObject(services, context, {
    definition,
    namespace,
    name,
    options,
    subresource: {
      name: 'scale',
      prepare: () => {},
      // The replicas of a custom resource are what its schema allows.
      validate: (object, old) =>
        definition.schema.name === undefined ? (definition.validateUpdate?.(object, old) ?? []) : [],
    },
    tracked: apply,
    next(old) {
      const wanted = next(old);
      const replicas = wanted.spec?.replicas ?? 0;
      if (replicas < 0)
        throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
          invalidValue(FieldPath.of('spec', 'replicas'), replicas, 'must be greater than or equal to 0'),
        ]);
      checkIdentity(definition, wanted, old);
      const object = apply
        ? appliedReplicas(services, definition, patch, old, replicas)
        : (draft(old) as Draft<UnstructuredObject>);
      if (!apply) scale.setReplicas(object, replicas);
      if (!wanted.metadata.resourceVersion) delete object.metadata.resourceVersion;
      return object;
    },
  });
  return scaleResult(scaleOf(scale, entry.as(definition).object));
}

type NextScale = { readonly options: WriteOptions; next(old: UnstructuredObject): Scale };

/** The object after its scale was applied: of its fields, the replicas are what the applier speaks for. */
function appliedReplicas(
  services: RegistryServices,
  definition: KindDefinition,
  { options, force }: PatchRequest,
  live: UnstructuredObject,
  replicas: number,
): Draft<UnstructuredObject> {
  const { schema, group, version, kind } = definition;
  const { name, namespace } = live.metadata;
  const apiVersion = apiVersionOf(group, version);
  const config = { apiVersion, kind, metadata: { name, namespace }, spec: {} } as unknown as Draft<UnstructuredObject>;
  definition.subresources.scale!.setReplicas(config, replicas);
  const { object } = applyPatch({
    live,
    config,
    schema,
    manager: options.fieldManager,
    apiVersion,
    subresource: 'scale',
    conflictsAs: { apiVersion: definition.subresources.scale!.version, fields: REPLICAS },
    force,
    now: timestamp(services.now()),
    versions: otherVersions(services, definition),
    checked: true,
  });
  return draft(object) as Draft<UnstructuredObject>;
}

async function replacement(context: RequestContext): Promise<NextScale> {
  const options = parseWriteOptions(context, 'UpdateOptions');
  const wanted = (await readObject(context, scaleTarget(), options.fieldValidation)) as unknown as Scale;
  if (wanted.metadata.name && wanted.metadata.name !== context.info.name)
    throw badRequest(
      `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${context.info.name})`,
    );
  return { options, next: () => wanted };
}

function patchedScale(context: RequestContext, scale: ScaleDefinition<unknown>, patch: PatchRequest): NextScale {
  const target = scaleTarget();
  return {
    options: patch.options,
    next(old) {
      const now = scaleOf(scale, old);
      if (isApply(patch)) {
        const config = appliedConfiguration(target, patch, context) as unknown as Scale;
        return { ...config, spec: { ...now.spec, ...config.spec } };
      }
      const document = { ...now, metadata: { ...now.metadata, resourceVersion: undefined } };
      return patchedObject(patch, document, target, context.warnings) as unknown as Scale;
    },
  };
}

function checkIdentity(definition: KindDefinition, wanted: Scale, old: UnstructuredObject): void {
  const { uid, resourceVersion, name } = wanted.metadata;
  if (uid && uid !== old.metadata.uid)
    throw conflict(
      { group: definition.group, resource: isCustom(definition) ? definition.kind : `${definition.resource}/scale` },
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${old.metadata.uid}`,
    );
  if (resourceVersion && resourceVersion !== old.metadata.resourceVersion)
    throw conflict(
      definition,
      name,
      'the object has been modified; please apply your changes to the latest version and try again',
    );
}

function scaleOf(scale: ScaleDefinition<unknown>, object: UnstructuredObject): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = object.metadata;
  return {
    kind: 'Scale',
    apiVersion: scale.version,
    metadata: { name, namespace, uid, resourceVersion, creationTimestamp } as Scale['metadata'],
    spec: { replicas: scale.getReplicas(object) ?? 0 },
    status: { replicas: scale.statusReplicas(object), selector: scale.selector(object) },
  };
}
