import { pipeline, type Readable } from 'node:stream';
import { createDeflateRaw, createGunzip, createGzip, createInflateRaw } from 'node:zlib';
import type { StatusError } from '../../apimachinery/status-error.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import { type Backend, beginRequest, responseOf } from './backend.ts';
import { copyResponse } from './copy-response.ts';
import { dialErrorText, hostPort } from './dial-error.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';
import { HtmlLinks } from './html-links.ts';
import { rewriteUrl } from './rewrite-url.ts';

/** Which pages other sites may read is not for a backend to say: to browsers it has this server's name. */
const CORS = /^access-control-allow-(?:credentials|headers|methods|origin)$/;

/**
 * Passes a request on and the response back, both as they come. `prefix` is where the backend's root is for the client:
 * redirects and the links of HTML pages are rewritten to it; without one, nothing is. Throws StatusError when the backend
 * cannot be reached.
 */
export async function forwardRequest(
  exchange: HttpExchange,
  backend: Backend,
  { path, prefix }: { readonly path: string; readonly prefix: string },
  failure: (text: string) => StatusError,
): Promise<void> {
  const headers = requestHeaders(exchange, false);
  if (prefix) headers['x-forwarded-uri'] = `${prefix}${path.split('?', 1)[0]}`;
  const { method, hasBody } = exchange;
  // Of a DELETE Node would send the body without saying where it ends.
  if (hasBody && headers['content-length'] === undefined) headers['transfer-encoding'] = 'chunked';
  const request = beginRequest(backend, { method, path, headers });
  const leave = () => request.destroy();
  exchange.signal.addEventListener('abort', leave, { once: true });
  request.once('close', () => exchange.signal.removeEventListener('abort', leave));
  if (hasBody) pipeline(exchange.input, request, () => undefined);
  else request.end();
  const response = await responseOf(request).catch((error: unknown) => {
    throw failure(dialErrorText(error, backend.host, backend.port));
  });
  const answer = responseHeaders(response.headers);
  let body: Readable = response;
  if (prefix) {
    const place = { prefix, backend: hostPort(backend.host, backend.port), requested: String(headers.host ?? '') };
    for (const name of Object.keys(answer)) if (CORS.test(name)) delete answer[name];
    if (typeof answer.location === 'string') answer.location = rewriteUrl(answer.location, place);
    else if (method !== 'HEAD' && isPage(answer['content-type'])) {
      const rewritten = withLinks(response, String(answer['content-encoding'] ?? ''), (url) => rewriteUrl(url, place));
      if (rewritten) delete answer['content-length'];
      body = rewritten ?? response;
    }
  }
  exchange.writeHead(response.statusCode ?? 502, answer);
  await copyResponse(body, exchange);
}

function isPage(contentType: unknown): boolean {
  return (
    String(contentType ?? '')
      .split(';', 1)[0]!
      .trim() === 'text/html'
  );
}

/** `undefined` for an encoding that is not understood. */
function withLinks(page: Readable, encoding: string, rewrite: (url: string) => string): Readable | undefined {
  const links = new HtmlLinks(rewrite);
  switch (encoding) {
    case '':
      return pipeline(page, links, () => undefined);
    case 'gzip':
      return pipeline(page, createGunzip(), links, createGzip(), () => undefined);
    case 'deflate':
      return pipeline(page, createInflateRaw(), links, createDeflateRaw(), () => undefined);
    default:
      return undefined;
  }
}
