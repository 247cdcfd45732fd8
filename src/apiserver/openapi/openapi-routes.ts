import type { KindRegistry } from '../../api/kind.ts';
import { methodNotSupported, notAcceptable } from '../../apimachinery/status-error.ts';
import { parseAccept } from '../http/negotiation.ts';
import { pageNotFound } from '../request/plain-text-error.ts';
import { headerOf, type RequestContext } from '../request/request-context.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { ContentResult } from '../request/result.ts';
import type { OpenApiDocument } from './openapi-documents.ts';

const V2_PROTOBUF = 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf';
/** What clients ask with. Their own parsers of media types refuse the @, so the answer has a dot. */
const V2_PROTOBUF_ASKED = 'application/com.github.proto-openapi.spec.v2@v1.0+protobuf';
const YEAR_MS = 365 * 24 * 60 * 60 * 1000;

export interface OpenApiRouteOptions {
  readonly router: RequestRouter;
  readonly services: { readonly kinds: KindRegistry };
}

/** `/openapi/v2` and `/openapi/v3`: the schemas of everything that is served. */
export function addOpenApiRoutes({ router, services }: OpenApiRouteOptions): void {
  let loading: ReturnType<typeof load> | undefined;
  const load = async () => {
    const { OpenApiDocuments } = await import('./openapi-documents.ts');
    return new OpenApiDocuments(services.kinds);
  };
  const documents = () => {
    loading ??= load();
    return loading;
  };

  router.addPath('/openapi/v2', async (context) => {
    readOnly(context);
    const mediaType = v2MediaType(headerOf(context.headers, 'accept'));
    const document = await (await documents()).v2(mediaType === 'application/json' ? 'json' : 'protobuf');
    return reply(context, document, mediaType, { 'cache-control': 'no-cache, private' });
  });
  router.addPath('/openapi/v3', async (context) => {
    readOnly(context);
    return reply(context, (await documents()).index(), 'application/json', { 'cache-control': 'no-cache, private' });
  });
  router.addPrefix('/openapi/v3', async (context) => {
    readOnly(context);
    const path = context.info.path.slice('/openapi/v3/'.length).replace(/\/$/, '');
    const document = await (await documents()).v3(path);
    if (!document) throw pageNotFound();
    const hash = context.query.get('hash');
    // The client's index is older than the document.
    if (hash && hash !== document.etag)
      return {
        type: 'content',
        status: 301,
        contentType: 'text/plain',
        body: '',
        headers: { location: `${context.info.path}?hash=${document.etag}` },
      };
    // What is asked for by its hash never changes.
    const caching: Record<string, string> = hash
      ? { 'cache-control': 'public, immutable', expires: new Date(Date.now() + YEAR_MS).toUTCString() }
      : { 'cache-control': 'no-cache, private' };
    return reply(context, document, 'application/json', caching);
  });
}

function readOnly({ method }: RequestContext): void {
  if (method !== 'GET' && method !== 'HEAD')
    throw methodNotSupported({ group: '', resource: '' }, method.toLowerCase());
}

/** JSON unless the client prefers the protobuf form. Throws StatusError 406. */
function v2MediaType(accept: string | undefined): string {
  if (!accept) return 'application/json';
  for (const { mediaType } of parseAccept(accept)) {
    if (mediaType === V2_PROTOBUF || mediaType === V2_PROTOBUF_ASKED) return V2_PROTOBUF;
    if (mediaType === 'application/json' || mediaType === 'application/*' || mediaType === '*/*')
      return 'application/json';
  }
  throw notAcceptable(['application/json', V2_PROTOBUF_ASKED]);
}

function reply(
  { headers }: RequestContext,
  document: OpenApiDocument | undefined,
  contentType: string,
  caching: Readonly<Record<string, string>>,
): ContentResult {
  if (!document) throw pageNotFound();
  const etag = `"${document.etag}"`;
  const unchanged = headerOf(headers, 'if-none-match')
    ?.split(',')
    .some((tag) => tag.trim() === etag);
  const common = { ...caching, etag, vary: 'Accept' };
  return unchanged
    ? { type: 'content', status: 304, contentType, body: '', headers: common }
    : { type: 'content', status: 200, contentType, body: document.body, headers: common };
}
