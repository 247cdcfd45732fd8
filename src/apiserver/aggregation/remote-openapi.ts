import { createHash } from 'node:crypto';
import { headerOf, type RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { ask } from './availability-check.ts';
import { isAvailable, type RemoteApiService, type RemoteApiServices } from './remote-api-services.ts';
import type { RemoteBackends } from './remote-backends.ts';

type Paths = Readonly<Record<string, { readonly serverRelativeURL: string }>>;

const OPENAPI_INDEX = '/openapi/v3';
const FRESH_MS = 30_000;
const ANSWER_TIMEOUT_MS = 3_000;

/** Adds the OpenAPI documents of extension API servers to the index; the documents themselves are passed through. */
export class RemoteOpenApi {
  readonly #services: RemoteApiServices;
  readonly #backends: RemoteBackends;
  readonly #known = new Map<string, { readonly at: number; readonly paths: Promise<Paths> }>();

  constructor(services: RemoteApiServices, backends: RemoteBackends) {
    this.#services = services;
    this.#backends = backends;
  }

  forget(name: string): void {
    this.#known.delete(name);
  }

  /** `local` answers with this server's own index. */
  async index(context: RequestContext, local: (context: RequestContext) => Promise<Result>): Promise<Result> {
    // The tag is that of the whole, which this server's own part knows nothing of.
    const own = { ...context, headers: { ...context.headers, 'if-none-match': undefined } };
    const available = [...this.#services.all()].filter(isAvailable);
    const [result, ...remote] = await Promise.all([local(own), ...available.map((service) => this.#pathsOf(service))]);
    if (result.type !== 'content' || result.status !== 200) return result;
    const text = typeof result.body === 'string' ? result.body : Buffer.from(result.body).toString('utf8');
    const { paths } = JSON.parse(text) as { paths: Paths };
    const body = JSON.stringify({ paths: Object.assign({}, paths, ...remote) });
    const etag = `"${createHash('sha512').update(body).digest('hex').toUpperCase()}"`;
    const headers = { ...result.headers, etag };
    if (headerOf(context.headers, 'if-none-match') === etag) return { ...result, status: 304, body: '', headers };
    return { ...result, body, headers };
  }

  #pathsOf(service: RemoteApiService): Promise<Paths> {
    const { name } = service.metadata;
    const known = this.#known.get(name);
    if (known && performance.now() - known.at < FRESH_MS) return known.paths;
    // A server without OpenAPI is none that has to be mentioned.
    const paths = this.#read(service).catch(() => ({}));
    this.#known.set(name, { at: performance.now(), paths });
    return paths;
  }

  async #read(service: RemoteApiService): Promise<Paths> {
    const [endpoint] = this.#backends.endpoints(service);
    if (!endpoint) return {};
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
    const answer = (await ask(endpoint, service, this.#backends, OPENAPI_INDEX, signal)) as { paths?: Partial<Paths> };
    const path = `apis/${service.spec.group}/${service.spec.version}`;
    const found = answer.paths?.[path]?.serverRelativeURL;
    return typeof found === 'string' ? { [path]: { serverRelativeURL: found } } : {};
  }
}
