import { randomInt } from 'node:crypto';
import type { KindDefinition } from '../../api/kind.ts';
import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import { badRequest, notFound, serviceUnavailable } from '../../apimachinery/status-error.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import type { ProxyServices } from './proxy-services.ts';
import { proxyTo, requireProxyable } from './proxy-target.ts';
import { parseSchemeNamePort } from './scheme-name-port.ts';

/** `/services/NAME/proxy/...`, also as `NAME:PORT` and `SCHEME:NAME:PORT` (by number or name): one of its ready endpoints. */
export async function serviceProxy(
  proxy: ProxyServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const { name: id, namespace } = context.info;
  const target = parseSchemeNamePort(id);
  if (!target) throw badRequest(`invalid service request ${JSON.stringify(id)}`);
  const portName = await portNameOf(proxy.reader, namespace, target.name, target.port);
  const { host, port } = endpointOf(proxy.reader, namespace, target.name, portName, id);
  requireProxyable(host);
  return proxyTo(proxy, context, definition, 'ServiceProxyOptions', {
    scheme: target.scheme,
    host,
    port,
    tls: { rejectUnauthorized: false },
  });
}

/** Ports of endpoints go by name: a number is that of the Service's port. */
async function portNameOf(reader: ObjectReader, namespace: string, name: string, port: string): Promise<string> {
  const service = await reader.fetch<Service>('services', name, namespace);
  if (!service) throw notFound({ group: '', resource: 'services' }, name);
  if (!/^\d+$/.test(port)) return port;
  const found = service.spec?.ports?.find((candidate) => candidate.port === Number(port));
  if (!found) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
  return found.name ?? '';
}

function endpointOf(reader: ObjectReader, namespace: string, name: string, portName: string, id: string): Endpoint {
  const candidates = endpointsOf(reader, namespace, name, portName);
  const chosen = candidates[candidates.length > 1 ? randomInt(candidates.length) : 0];
  if (chosen) return chosen;
  // Of the port alone the whole of what was asked for is told.
  const any = slicesOf(reader, namespace, name).some(({ endpoints }) => endpoints?.length);
  throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(any ? id : name)}`);
}

export interface Endpoint {
  readonly host: string;
  readonly port: number;
}

/** The ready endpoints of a Service for the port with this name. */
export function endpointsOf(reader: ObjectReader, namespace: string, name: string, portName: string): Endpoint[] {
  return slicesOf(reader, namespace, name).flatMap(({ endpoints, ports }) => {
    const port = ports?.find(
      (candidate) => (candidate.name ?? '') === portName && (candidate.protocol ?? 'TCP') === 'TCP',
    )?.port;
    if (port === undefined) return [];
    return (endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port })));
  });
}

function slicesOf(reader: ObjectReader, namespace: string, name: string): EndpointSlice[] {
  return reader
    .list<EndpointSlice>('endpointslices.discovery.k8s.io', namespace)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name);
}
