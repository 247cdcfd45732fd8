import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';
import type { KindDefinition } from '../../api/kind.ts';
import { badRequest, serviceUnavailable } from '../../apimachinery/status-error.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { TakeOverResult } from '../request/result.ts';
import type { Backend } from './backend.ts';
import { backendPath } from './backend-path.ts';
import { admitConnection } from './connect-admission.ts';
import { unknownError } from './dial-error.ts';
import { forwardRequest } from './forward-request.ts';
import { forwardUpgrade } from './forward-upgrade.ts';
import type { ProxyServices } from './proxy-services.ts';

/** Passes the request on to `backend`, with the path that follows `/proxy`. */
export async function proxyTo(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
  kind: string,
  backend: Backend,
): Promise<TakeOverResult> {
  if (context.query.has('dryRun')) throw badRequest('dryRun is not supported');
  await admitConnection(proxy.services, context, definition, kind, { path: `/${context.info.rest.join('/')}` });
  return { type: 'takeOver', run: (exchange) => run(exchange, backend) };
}

async function run(exchange: HttpExchange, backend: Backend): Promise<void> {
  const { prefix, path: asked } = split(exchange.path);
  const path = backendPath(asked);
  const query = exchange.rawQuery ? `?${exchange.rawQuery}` : '';
  const failure = (why: string) => serviceUnavailable(`error trying to reach service: ${why}`);
  if (exchange.upgrade)
    return forwardUpgrade(exchange, backend, `${path || '/'}${query}`, (why) =>
      unknownError(`error dialing backend: ${why}`),
    );
  if (path === '' && (exchange.method === 'GET' || exchange.method === 'HEAD')) {
    // Relative links of the page would lead elsewhere.
    exchange.send(301, { location: `${exchange.path}/${query}` });
    return;
  }
  return forwardRequest(exchange, backend, { path: `${path || '/'}${query}`, prefix }, failure);
}

/** `/api/v1/namespaces/a/services/b/proxy` and what follows it, as it was encoded. */
function split(path: string): { readonly prefix: string; readonly path: string } {
  const match = /^(.*?\/(?:nodes|pods|services)\/[^/]+\/proxy)(\/.*)?$/.exec(path);
  return { prefix: match?.[1] ?? path, path: match?.[2] ?? '' };
}

const REFUSED_RANGES = ['loopback', 'linkLocal', 'unspecified', 'multicast', 'broadcast'];

/** The proxy must not become a way to what only the server itself can reach. Throws StatusError 400. */
export function requireProxyable(address: string): void {
  if (isIP(address) === 0) throw badRequest('address not allowed');
  if (REFUSED_RANGES.includes(ipaddr.process(address).range())) throw badRequest('address not allowed');
}
