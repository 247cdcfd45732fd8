import type { KindDefinition } from '../../api/kind.ts';
import { badRequest } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { kubeletOf } from './kubelet-endpoint.ts';
import type { ProxyServices } from './proxy-services.ts';
import { proxyTo, requireProxyable } from './proxy-target.ts';
import { parseSchemeNamePort } from './scheme-name-port.ts';

/** `/nodes/NAME/proxy/...`: the kubelet, or with `NAME:PORT` whatever listens there on the node. */
export async function nodeProxy(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const target = parseSchemeNamePort(context.info.name);
  if (!target) throw badRequest(`invalid node request ${JSON.stringify(context.info.name)}`);
  const kubelet = await kubeletOf(proxy.reader, target.name, proxy.kubelet());
  if (target.port === '' || target.port === String(kubelet.port))
    return proxyTo(proxy, context, definition, 'NodeProxyOptions', kubelet);
  const port = Number(target.port);
  if (!Number.isInteger(port)) throw badRequest(`invalid node request ${JSON.stringify(context.info.name)}`);
  requireProxyable(kubelet.host);
  return proxyTo(proxy, context, definition, 'NodeProxyOptions', {
    scheme: target.scheme,
    host: kubelet.host,
    port,
    tls: { rejectUnauthorized: false },
  });
}
