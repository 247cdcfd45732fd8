import type { KindDefinition } from '../../api/kind.ts';
import { forbiddenField } from '../../apimachinery/field.ts';
import {
  invalid,
  methodNotAllowed,
  methodNotSupported,
  notFound,
  type StatusError,
} from '../../apimachinery/status-error.ts';
import { wholeNumber } from '../request/query-numbers.ts';
import type { RequestContext } from '../request/request-context.ts';
import { isTrue } from '../request/request-info.ts';
import type { Result } from '../request/result.ts';
import { compileSelection, type Selection } from '../watch-cache/filter.ts';
import { list, parseRevision, type ReadOptions } from '../watch-cache/list.ts';
import { validateWatchOptions, watch } from '../watch-cache/watch.ts';
import { createFromRequest } from './create.ts';
import { deleteCollection, deleteFromRequest } from './delete.ts';
import { cacheKey } from './object-storage.ts';
import { patchFromRequest } from './patch.ts';
import type { RegistryServices } from './registry-services.ts';
import { type SubresourceStrategy, statusStrategy, updateFromRequest } from './update.ts';

const MIN_WATCH_TIMEOUT_MS = 1_800_000;
/** Verbs whose path names an object. */
const ON_NAME: ReadonlySet<string> = new Set(['get', 'update', 'patch', 'delete']);

/** The verbs on a stored resource itself. */
export async function serveResource(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const { verb, name } = context.info;
  if (!(definition.verbs as readonly string[]).includes(verb)) throw withoutMethod(definition, verb);
  if (ON_NAME.has(verb) ? !name : verb === 'create' && name) throw methodNotAllowed();
  switch (verb) {
    case 'get':
      return getObject(services, context, definition);
    case 'list':
      return listObjects(services, context, definition);
    case 'watch':
      if (context.method !== 'GET' && context.method !== 'HEAD') throw methodNotAllowed();
      return watchObjects(services, context, definition);
    case 'create':
      return { type: 'entry', status: 201, definition, entry: await createFromRequest(services, context, definition) };
    case 'update':
      return written(definition, await updateFromRequest(services, context, definition));
    case 'patch':
      return written(definition, await patchFromRequest(services, context, definition));
    case 'delete':
      return deleteFromRequest(services, context, definition);
    case 'deletecollection':
      return deleteCollection(services, context, definition);
    default:
      throw withoutMethod(definition, verb);
  }
}

/** GET, PUT and PATCH of a view of the object that may change a part of it: `/status` and the like. */
export async function serveSubresource(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  strategy: SubresourceStrategy = statusStrategy(definition),
): Promise<Result> {
  switch (context.info.verb) {
    case 'get':
      return getObject(services, context, definition);
    case 'update':
      return written(definition, await updateFromRequest(services, context, definition, strategy));
    case 'patch':
      return written(definition, await patchFromRequest(services, context, definition, strategy));
    default:
      throw withoutMethod(definition, context.info.verb);
  }
}

/** A built-in kind has no such route; a custom resource says so itself. */
export function withoutMethod(definition: KindDefinition, verb: string): StatusError {
  return definition.decoding ? methodNotSupported(definition, verb) : methodNotAllowed();
}

function written(
  definition: KindDefinition,
  { entry, created }: Awaited<ReturnType<typeof updateFromRequest>>,
): Result {
  return { type: 'entry', status: created ? 201 : 200, definition, entry };
}

async function getObject(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const { cache } = services;
  const { name, namespace } = context.info;
  const requested = context.query.get('resourceVersion');
  const waiting = requested ? waitFor(services, requested) : cache.fresh();
  if (waiting) await waiting;
  const resource = cache.for(definition);
  const unread = cache.readable(resource, namespace, name);
  if (unread) await unread;
  const entry = resource.get(cacheKey(definition.namespaced ? namespace : '', name));
  if (!entry) throw notFound(definition, name);
  return { type: 'entry', status: 200, definition, entry };
}

function waitFor({ cache }: RegistryServices, requested: string): Promise<void> | undefined {
  const revision = parseRevision(requested);
  return revision > cache.revision ? cache.waitFor(revision) : undefined;
}

async function listObjects(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const { cache, storage } = services;
  if (context.query.get('sendInitialEvents'))
    throw invalid({ group: 'meta.k8s.io', kind: 'ListOptions' }, '', [
      forbiddenField('sendInitialEvents', 'sendInitialEvents is forbidden for list'),
    ]);
  const listing = await list(
    { cache, store: storage.store },
    definition,
    selectionOf(context, definition),
    readOptions(context.query),
  );
  return {
    type: 'list',
    definition,
    entries: listing.entries,
    metadata: {
      resourceVersion: String(listing.revision),
      ...(listing.continue ? { continue: listing.continue } : {}),
      ...(listing.remainingItemCount ? { remainingItemCount: listing.remainingItemCount } : {}),
    },
  };
}

function watchObjects(services: RegistryServices, context: RequestContext, definition: KindDefinition): Result {
  const { query } = context;
  const { cache, storage } = services;
  const selection = selectionOf(context, definition);
  const sendInitialEvents = query.get('sendInitialEvents');
  const timeout = wholeNumber(query, 'timeoutSeconds');
  const options = {
    ...readOptions(query),
    allowWatchBookmarks: isTrue(query.get('allowWatchBookmarks')),
    ...(sendInitialEvents ? { sendInitialEvents: isTrue(sendInitialEvents) } : {}),
    timeoutMs: timeout > 0 ? timeout * 1000 : MIN_WATCH_TIMEOUT_MS * (1 + Math.random()),
  };
  validateWatchOptions(options);
  return {
    type: 'watch',
    definition,
    open: (sink) => watch({ cache, store: storage.store }, definition, selection, options, sink),
  };
}

function selectionOf({ info, query }: RequestContext, definition: KindDefinition): Selection {
  const selection = compileSelection(
    definition,
    definition.namespaced ? info.namespace : '',
    query.get('labelSelector') ?? undefined,
    query.get('fieldSelector') ?? undefined,
  );
  // A watch of one object by its path, as the deprecated `/watch/` paths have it.
  return info.name && selection.name === undefined ? { ...selection, name: info.name } : selection;
}

function readOptions(query: URLSearchParams): ReadOptions {
  const resourceVersion = query.get('resourceVersion');
  const resourceVersionMatch = query.get('resourceVersionMatch');
  const token = query.get('continue');
  const limit = wholeNumber(query, 'limit');
  return {
    // Whatever the server has comes whole.
    limit: resourceVersion === '0' && !token ? 0 : Math.max(limit, 0),
    ...(resourceVersion ? { resourceVersion } : {}),
    ...(resourceVersionMatch ? { resourceVersionMatch } : {}),
    ...(token ? { continue: token } : {}),
  };
}
