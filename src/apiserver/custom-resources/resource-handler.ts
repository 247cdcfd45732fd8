import type { KindDefinition } from '../../api/kind.ts';
import type { CustomResourceDefinition } from '../../api/types/apiextensions.v1.gen.ts';
import { methodNotSupported, StatusError } from '../../apimachinery/status-error.ts';
import { compareVersions } from '../discovery/group-order.ts';
import type { RegistryServices } from '../registry/registry-services.ts';
import { serveResource } from '../registry/resource-operations.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { ResourceHandler } from '../request/request-router.ts';
import type { Result } from '../request/result.ts';
import { convertEntries } from '../watch-cache/convert-entries.ts';
import { compileSelection } from '../watch-cache/filter.ts';
import { convertingSink } from './converted-reads.ts';

/** The verbs of a custom resource: those of any, with warnings of old versions, and with webhooks that convert. */
export function customResourceHandler(
  services: RegistryServices,
  crd: CustomResourceDefinition,
  kinds: readonly KindDefinition[],
): ResourceHandler {
  const deprecations = new Map(
    crd.spec.versions
      .filter(({ deprecated }) => deprecated)
      .map(({ name, deprecationWarning }) => [name, deprecationWarning ?? defaultWarning(crd, name)]),
  );
  const stored = crd.spec.versions.find(({ storage }) => storage)?.name;
  const terminating = crd.metadata.deletionTimestamp !== undefined;

  return async (context, definition) => {
    const warning = deprecations.get(definition.version);
    if (warning) context.warnings.push(warning);
    if (terminating && context.info.verb === 'create')
      throw new StatusError({
        ...methodNotSupported(definition, 'create').status,
        message: 'create not allowed while custom resource definition is terminating',
      });
    if (!definition.storage?.convert) return serveResource(services, context, definition);
    return serveConverted(context, definition);
  };

  /** Reads go by the stored version, and what they come to is converted; selectors are about the served version. */
  async function serveConverted(context: RequestContext, definition: KindDefinition): Promise<Result> {
    if (context.info.verb === 'watch') return watchConverted(context, definition);
    const result = await serveResource(services, context, definition);
    switch (result.type) {
      case 'entry':
        await result.entry.prepare(definition);
        return result;
      case 'list':
        await convertEntries(definition, result.entries);
        return result;
      default:
        return result;
    }
  }

  async function watchConverted(context: RequestContext, definition: KindDefinition): Promise<Result> {
    const { info } = context;
    const query = new URLSearchParams(context.query);
    const selection = compileSelection(
      definition,
      definition.namespaced ? info.namespace : '',
      query.get('labelSelector') ?? undefined,
      query.get('fieldSelector') ?? undefined,
    );
    query.delete('labelSelector');
    query.delete('fieldSelector');
    // A name is the same in all versions.
    if (selection.name !== undefined)
      query.set('fieldSelector', `metadata.name=${selection.name.replace(/[\\,=]/g, '\\$&')}`);
    const result = await serveResource(services, { ...context, query }, rawKind(definition));
    if (result.type !== 'watch') return result;
    return { ...result, definition, open: (sink) => result.open(convertingSink(definition, selection, sink)) };
  }

  /** As the objects are in the store. */
  function rawKind(definition: KindDefinition): KindDefinition {
    const { storage: _, ...raw } = kinds.find(({ version }) => version === stored) ?? definition;
    return { ...raw, version: stored ?? definition.version };
  }
}

/** Names what to use instead: the highest of the served versions above it. */
function defaultWarning({ spec: { group, names, versions } }: CustomResourceDefinition, name: string): string {
  const [better] = versions
    .filter((version) => version.served && !version.deprecated && compareVersions(version.name, name) < 0)
    .map((version) => version.name)
    .sort(compareVersions);
  const instead = better ? `; use ${group}/${better} ${names.kind}` : '';
  return `${group}/${name} ${names.kind} is deprecated${instead}`;
}
