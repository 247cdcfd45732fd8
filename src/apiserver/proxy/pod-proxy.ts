import type { KindDefinition } from '../../api/kind.ts';
import { badRequest } from '../../apimachinery/status-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { podOf } from './pod-container.ts';
import type { ProxyServices } from './proxy-services.ts';
import { proxyTo, requireProxyable } from './proxy-target.ts';
import { parseSchemeNamePort } from './scheme-name-port.ts';

/** `/pods/NAME/proxy/...`, also as `NAME:PORT` and `SCHEME:NAME:PORT`: the first port that a container names otherwise. */
export async function podProxy(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const target = parseSchemeNamePort(context.info.name);
  if (!target) throw badRequest(`invalid pod request ${JSON.stringify(context.info.name)}`);
  const pod = await podOf(proxy.reader, context.info.namespace, target.name);
  const ports = pod.spec.containers.flatMap((container) => container.ports ?? []);
  const port =
    target.port === '' ? (ports[0]?.containerPort ?? (target.scheme === 'https' ? 443 : 80)) : Number(target.port);
  if (!Number.isInteger(port)) throw badRequest(`invalid pod request ${JSON.stringify(context.info.name)}`);
  const host = pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '';
  requireProxyable(host);
  return proxyTo(proxy, context, definition, 'PodProxyOptions', {
    scheme: target.scheme,
    host,
    port,
    tls: { rejectUnauthorized: false },
  });
}
