import type { KindDefinition, KindRegistry } from '../../api/kind.ts';
import { methodNotAllowed, notFound, StatusError } from '../../apimachinery/status-error.ts';
import type { Labels, MetricFamily } from '../health/exposition.ts';
import { pageNotFound } from './plain-text-error.ts';
import type { RequestContext } from './request-context.ts';
import type { Result } from './result.ts';

/** Serves a resource or a subresource that is not just stored objects. */
export type ResourceHandler = (context: RequestContext, definition: KindDefinition) => Promise<Result> | Result;

/** Serves paths that are no resources. */
export type PathHandler = (context: RequestContext) => Promise<Result> | Result;

/** `undefined`: not its business. */
export type FallbackHandler = (context: RequestContext) => Promise<Result | undefined> | Result | undefined;

/** What clients are told of kinds that have a successor. */
const deprecations: Readonly<Record<string, string>> = {
  '/v1/componentstatuses': 'v1 ComponentStatus is deprecated in v1.19+',
  '/v1/endpoints': 'v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice',
};

/** Of deprecated resources: clients make up subresources. */
const MAX_ASKED = 100;

/** Who serves what. Parts of the server add their routes; what nobody claims is 404. */
export class RequestRouter {
  readonly #kinds: KindRegistry;
  readonly #stored: ResourceHandler;
  readonly #resources = new Map<string, ResourceHandler>();
  readonly #subresources = new Map<string, ResourceHandler>();
  readonly #generic = new Map<string, ResourceHandler>();
  readonly #paths = new Map<string, PathHandler>();
  readonly #prefixes: { readonly prefix: string; readonly handler: PathHandler }[] = [];
  readonly #first: FallbackHandler[] = [];
  readonly #fallbacks: FallbackHandler[] = [];
  /** Of kinds that are there from the start. */
  readonly #groups: ReadonlySet<string>;
  readonly #asked = new Map<string, Labels>();

  /** `stored`: the verbs of stored resources. */
  constructor(kinds: KindRegistry, stored: ResourceHandler) {
    this.#kinds = kinds;
    this.#groups = new Set(kinds.all().map(({ group }) => group));
    this.#stored = stored;
  }

  /** Serves a whole resource, of whatever version: reviews, component statuses. */
  addResource(group: string, resource: string, handler: ResourceHandler): void {
    this.#resources.set(`${group}/${resource}`, handler);
  }

  removeResource(group: string, resource: string): void {
    this.#resources.delete(`${group}/${resource}`);
  }

  addSubresource(group: string, resource: string, subresource: string, handler: ResourceHandler): void {
    this.#subresources.set(`${group}/${resource}/${subresource}`, handler);
  }

  /** Serves a subresource of every kind that has it: `status`, `scale`. */
  addGenericSubresource(subresource: string, handler: ResourceHandler): void {
    this.#generic.set(subresource, handler);
  }

  addPath(path: string, handler: PathHandler): void {
    this.#paths.set(path, handler);
  }

  /** Those that have a route of their own and are no resources. */
  get paths(): string[] {
    return [...this.#paths.keys()];
  }

  /** Serves `prefix` and everything below it that has no route of its own. */
  addPrefix(prefix: string, handler: PathHandler): void {
    this.#prefixes.push({ prefix, handler });
    this.#prefixes.sort((a, b) => b.prefix.length - a.prefix.length);
  }

  /** Asked before anything else: API groups that another server serves. */
  addInterceptor(handler: FallbackHandler): void {
    this.#first.push(handler);
  }

  /** Asked for what no route serves. */
  addFallback(handler: FallbackHandler): void {
    this.#fallbacks.push(handler);
  }

  async route(context: RequestContext): Promise<Result> {
    for (const handler of this.#first) {
      const given = handler(context);
      const result = given instanceof Promise ? await given : given;
      if (result) return result;
    }
    const { info } = context;
    if (!info.resourceRequest) return this.#path(context);
    const definition = this.#kinds.byResource(info.group, info.version, info.resource);
    if (!definition) return this.#fallback(context);
    if (definition.namespaced && !info.namespace && info.name && info.verb !== 'list' && info.verb !== 'watch')
      return this.#fallback(context);
    if (!definition.namespaced && info.namespace && info.resource !== 'namespaces') return this.#fallback(context);
    const deprecation = deprecations[`${info.group}/${info.version}/${info.resource}`];
    if (deprecation) this.#deprecated(context, deprecation);
    const key = `${info.group}/${info.resource}`;
    if (info.subresource === '')
      return (this.#resources.get(key) ?? this.#storedHandler(definition))(context, definition);
    const handler =
      this.#subresources.get(`${key}/${info.subresource}`) ?? this.#genericHandler(definition, info.subresource);
    if (handler) return handler(context, definition);
    // Of a custom resource that has none such, the object is said to be missing.
    if (definition.decoding) throw notFound(definition, info.name);
    return this.#fallback(context);
  }

  /** What deprecated resources were asked for. */
  readonly families = (): MetricFamily[] => [
    {
      type: 'gauge',
      name: 'apiserver_requested_deprecated_apis',
      help: 'Deprecated resources that were asked for, by the release that is to be without them, as far as that is known.',
      samples: [...this.#asked.values()].map((labels) => ({ labels: { ...labels, removed_release: '' }, value: 1 })),
    },
  ];

  #deprecated({ info, warnings, auditAnnotations }: RequestContext, warning: string): void {
    warnings.push(warning);
    auditAnnotations.set('k8s.io/deprecated', 'true');
    const { group, version, resource, subresource } = info;
    const key = `${group}/${version}/${resource}/${subresource}`;
    if (!this.#asked.has(key) && this.#asked.size < MAX_ASKED)
      this.#asked.set(key, { group, version, resource, subresource });
  }

  #storedHandler(definition: KindDefinition): ResourceHandler {
    if (definition.virtual) throw methodNotAllowed();
    return this.#stored;
  }

  #genericHandler(definition: KindDefinition, subresource: string): ResourceHandler | undefined {
    const has = subresource === 'status' || subresource === 'scale' ? definition.subresources[subresource] : undefined;
    return has && this.#generic.get(subresource);
  }

  #path(context: RequestContext): Promise<Result> | Result {
    const { path } = context.info;
    const exact = this.#paths.get(path) ?? (path.endsWith('/') ? this.#paths.get(path.slice(0, -1)) : undefined);
    if (exact) return exact(context);
    const match = this.#prefixes.find(({ prefix }) => path === prefix || path.startsWith(`${prefix}/`));
    return match ? match.handler(context) : this.#fallback(context);
  }

  async #fallback(context: RequestContext): Promise<Result> {
    for (const handler of this.#fallbacks) {
      const result = await handler(context);
      if (result) return result;
    }
    const { resourceRequest, group } = context.info;
    throw resourceRequest && this.#groups.has(group) ? resourceNotFound() : pageNotFound();
  }
}

/** The 404 of a path below a group that is served. */
export function resourceNotFound(): StatusError {
  return new StatusError({
    code: 404,
    reason: 'NotFound',
    message: 'the server could not find the requested resource',
    details: {},
  });
}
