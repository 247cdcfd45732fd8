import type { KindDefinition } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import { methodNotSupported, unsupportedMediaType } from '../../apimachinery/status-error.ts';
import { mediaTypeOf } from '../registry/read-object.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import { serveResource } from '../registry/resource-operations.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { ResourceHandler } from '../request/request-router.ts';
import type { Result } from '../request/result.ts';
import { convertEntries, convertingSink } from './converted-reads.ts';

const PROTOBUF = 'application/vnd.kubernetes.protobuf';

/** The verbs of a custom resource: those of any, with warnings of old versions, and with webhooks that convert. */
export function customResourceHandler(
  services: RegistryServices,
  crd: CustomResourceDefinition,
  kinds: readonly KindDefinition[],
): ResourceHandler {
  const deprecations = new Map(
    crd.spec.versions
      .filter(({ deprecated }) => deprecated)
      .map(({ name, deprecationWarning }) => [
        name,
        deprecationWarning ?? `${crd.spec.group}/${name} ${crd.spec.names.kind} is deprecated`,
      ]),
  );
  const stored = crd.spec.versions.find(({ storage }) => storage)?.name;
  const terminating = crd.metadata.deletionTimestamp !== undefined;

  return async (context, definition) => {
    const warning = deprecations.get(definition.version);
    if (warning) context.warnings.push(warning);
    if (terminating && context.info.verb === 'create') throw methodNotSupported(definition, 'create');
    refuseProtobuf(context);
    if (!definition.storage?.convert) return serveResource(services, context, definition);
    return serveConverted(context, definition);
  };

  /** Reads go by the stored version, and what they come to is converted. */
  async function serveConverted(context: RequestContext, definition: KindDefinition): Promise<Result> {
    const { verb } = context.info;
    const resource = services.cache.for(definition);
    const byField = context.query.get('fieldSelector');
    // Conversion changes labels as it likes, and fields are the version's own.
    const selective = (verb === 'list' && byField) || verb === 'deletecollection';
    if (selective) await convertEntries(definition, resource.keys());
    const reads = verb === 'list' || verb === 'watch';
    const raw = reads && !selective ? rawKind(definition) : definition;
    const result = await serveResource(services, context, raw);
    switch (result.type) {
      case 'entry':
        await result.entry.prepare(definition);
        return { ...result, definition };
      case 'list':
        await convertEntries(definition, result.entries);
        return { ...result, definition };
      case 'watch':
        return { ...result, definition, open: (sink) => result.open(convertingSink(definition, sink)) };
      default:
        return result;
    }
  }

  /** As the objects are in the store. */
  function rawKind(definition: KindDefinition): KindDefinition {
    const { storage: _, ...raw } = kinds.find(({ version }) => version === stored) ?? definition;
    return { ...raw, version: stored ?? definition.version, selectableFields: definition.selectableFields };
  }
}

/** Custom resources have no messages; the scale of one is a built-in kind. */
function refuseProtobuf({ info, headers }: RequestContext): void {
  if (info.verb !== 'create' && info.verb !== 'update') return;
  if (info.subresource === 'scale') return;
  const given = headers['content-type'];
  if (typeof given === 'string' && mediaTypeOf(given) === PROTOBUF)
    throw unsupportedMediaType(['application/json', 'application/yaml']);
}
