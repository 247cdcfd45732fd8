import { pipeline } from 'node:stream';
import type { StatusError } from '../../apimachinery/status-error.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import { type Backend, beginRequest, responseOf } from './backend.ts';
import { copyResponse } from './copy-response.ts';
import { dialErrorText, hostPort } from './dial-error.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';
import { HtmlLinks } from './html-links.ts';

/**
 * Passes a request on and the response back, both as they come. `prefix` is where the backend's root is for the client:
 * redirects and the links of HTML pages are rewritten to it. Throws StatusError when the backend cannot be reached.
 */
export async function forwardRequest(
  exchange: HttpExchange,
  backend: Backend,
  { path, prefix }: { readonly path: string; readonly prefix: string },
  failure: (text: string) => StatusError,
): Promise<void> {
  const headers = requestHeaders(exchange, false);
  headers['x-forwarded-uri'] = `${prefix}${path.split('?', 1)[0]}`;
  headers['x-forwarded-host'] = String(headers.host ?? '');
  headers['x-forwarded-proto'] = 'https';
  const { method } = exchange;
  const hasBody =
    headers['content-length'] !== undefined ||
    exchange.headers['transfer-encoding'] !== undefined ||
    !['GET', 'HEAD', 'OPTIONS', 'DELETE'].includes(method);
  // Pages are rewritten, so they must not come compressed.
  if (String(headers.accept ?? '').includes('text/html')) headers['accept-encoding'] = 'identity';
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
  if (typeof answer.location === 'string') answer.location = rewriteLocation(answer.location, backend, prefix);
  const page =
    String(answer['content-type'] ?? '').startsWith('text/html') && !answer['content-encoding'] && method !== 'HEAD';
  if (page) delete answer['content-length'];
  exchange.writeHead(response.statusCode ?? 502, answer);
  await copyResponse(page ? response.pipe(new HtmlLinks(prefix)) : response, exchange);
}

/** Redirects within the backend stay within the proxy; others are left alone. */
function rewriteLocation(location: string, { scheme, host, port }: Backend, prefix: string): string {
  for (const own of [`${scheme}://${hostPort(host, port)}`, `${scheme}://${host}`])
    if (location === own || location.startsWith(`${own}/`)) return `${prefix}${location.slice(own.length) || '/'}`;
  if (!location.startsWith('/') || location.startsWith('//') || location.startsWith(`${prefix}/`)) return location;
  return `${prefix}${location}`;
}
