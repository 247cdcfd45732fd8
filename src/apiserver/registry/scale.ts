import type { KindDefinition, ScaleDefinition } from '../../api/kind.ts';
import { schemaOf } from '../../api/schema.ts';
import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import type { KubeObject, UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest, conflict, invalid, notFound } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import { objectResult, type Result } from '../request/result.ts';
import { parseWriteOptions, type WriteOptions } from '../request/write-options.ts';
import { patchDocument, readPatch } from './patch.ts';
import { type DecodeTarget, decodeObject, readObject } from './read-object.ts';
import type { RegistryServices } from './registry-services.ts';
import { updateObject } from './update.ts';

interface Scale extends KubeObject {
  readonly spec: { readonly replicas?: number };
  readonly status: { readonly replicas: number; readonly selector?: string };
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
    return objectResult(scaleOf(scale, entry.as(definition).object));
  }
  const { options, next } =
    verb === 'update' ? await replacement(context, scale) : await patchedScale(context, definition, scale);
  const entry = await updateObject(services, context, {
    definition,
    namespace,
    name,
    options,
    subresource: { name: 'scale', prepare: () => {}, validate: () => [] },
    next(old) {
      const wanted = next(old);
      checkIdentity(definition, wanted, old);
      const replicas = wanted.spec?.replicas ?? 0;
      if (replicas < 0)
        throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, [
          invalidValue(FieldPath.of('spec', 'replicas'), replicas, 'must be greater than or equal to 0'),
        ]);
      const object = draft(old) as Draft<UnstructuredObject>;
      scale.setReplicas(object, replicas);
      if (!wanted.metadata.resourceVersion) delete object.metadata.resourceVersion;
      return object;
    },
  });
  return objectResult(scaleOf(scale, entry.as(definition).object));
}

type NextScale = { readonly options: WriteOptions; next(old: UnstructuredObject): Scale };

async function replacement(context: RequestContext, _scale: ScaleDefinition<unknown>): Promise<NextScale> {
  const options = parseWriteOptions(context, 'UpdateOptions');
  const wanted = (await readObject(context, scaleTarget(), options.fieldValidation)) as unknown as Scale;
  if (wanted.metadata.name && wanted.metadata.name !== context.info.name)
    throw badRequest(
      `the name of the object (${wanted.metadata.name}) does not match the name on the URL (${context.info.name})`,
    );
  return { options, next: () => wanted };
}

async function patchedScale(
  context: RequestContext,
  definition: KindDefinition,
  scale: ScaleDefinition<unknown>,
): Promise<NextScale> {
  const patch = await readPatch(context, definition.schema.name === undefined);
  const target = scaleTarget();
  return {
    options: patch.options,
    next(old) {
      const now = scaleOf(scale, old);
      const document =
        patch.mediaType === 'application/apply-patch+yaml'
          ? { ...now, spec: { ...now.spec, ...(patch.body as Scale).spec } }
          : patchDocument(patch, { ...now, metadata: { ...now.metadata, resourceVersion: undefined } }, target.schema);
      const { fieldValidation } = patch.options;
      return decodeObject(
        document,
        target,
        fieldValidation,
        patch.duplicateFields,
        context.warnings,
      ) as unknown as Scale;
    },
  };
}

function checkIdentity(definition: KindDefinition, wanted: Scale, old: UnstructuredObject): void {
  const { uid, resourceVersion, name } = wanted.metadata;
  if (uid && uid !== old.metadata.uid)
    throw conflict(
      definition,
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
