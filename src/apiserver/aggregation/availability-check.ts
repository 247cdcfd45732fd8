import type { IncomingMessage } from 'node:http';
import type { APIServiceCondition } from '../../api/types/apiregistration.v1.gen.ts';
import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import type { APIResourceList } from '../../apimachinery/meta.ts';
import { SYSTEM_MASTERS, type UserInfo } from '../../sdk/user.ts';
import type { ObjectReader } from '../object-reader.ts';
import { beginRequest, responseOf } from '../proxy/backend.ts';
import { dialErrorText, hostPort } from '../proxy/dial-error.ts';
import { type Endpoint, endpointsOf } from '../proxy/service-proxy.ts';
import type { RemoteApiService } from './remote-api-services.ts';
import type { RemoteBackends } from './remote-backends.ts';

/** Who this server itself is to extension API servers. */
export const AGGREGATOR_USER: UserInfo = { name: 'system:kube-aggregator', groups: [SYSTEM_MASTERS] };

export interface Availability {
  readonly condition: Pick<APIServiceCondition, 'status' | 'reason' | 'message'>;
  /** What it serves, of one that answers. */
  readonly resources?: APIResourceList['resources'];
}

const ANSWER_TIMEOUT_MS = 5_000;
const MAX_ENDPOINTS_ASKED = 5;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

const unavailable = (reason: string, message: string): Availability => ({
  condition: { status: 'False', reason, message },
});

/** Whether an APIService can serve: its Service, its endpoints, and one answer of its discovery. */
export async function checkAvailability(
  service: RemoteApiService,
  reader: ObjectReader,
  backends: RemoteBackends,
): Promise<Availability> {
  const { namespace, name, port } = service.spec.service;
  const of = `service/${name} in ${JSON.stringify(namespace)}`;
  const found = reader.get<Service>('services', name, namespace);
  if (!found) return unavailable('ServiceNotFound', `${of} is not present`);
  const { type = 'ClusterIP', ports = [] } = found.spec ?? {};
  // Of other Services the endpoints may not be here to be looked at.
  if (type === 'ClusterIP') {
    const servicePort = ports.find((candidate) => candidate.port === port);
    if (!servicePort) return unavailable('ServicePortError', `${of} is not listening on port ${port}`);
    if (slicesOf(reader, namespace, name) === 0)
      return unavailable('EndpointsNotFound', `cannot find endpointslices for ${of}`);
    const portName = servicePort.name ?? '';
    if (endpointsOf(reader, namespace, name, portName).length === 0)
      return unavailable(
        'MissingEndpoints',
        `endpointslices for ${of} have no addresses with port name ${JSON.stringify(portName)}`,
      );
  }
  try {
    const asked = backends.endpoints(service).slice(0, MAX_ENDPOINTS_ASKED);
    if (asked.length === 0) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
    const resources = await Promise.any(asked.map((endpoint) => discover(endpoint, service, backends)));
    return { condition: { status: 'True', reason: 'Passed', message: 'all checks passed' }, resources };
  } catch (error) {
    const last = error instanceof AggregateError ? error.errors.at(-1) : error;
    return unavailable('FailedDiscoveryCheck', (last as Error).message);
  }
}

function slicesOf(reader: ObjectReader, namespace: string, name: string): number {
  return reader
    .list<EndpointSlice>('endpointslices.discovery.k8s.io', namespace)
    .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name).length;
}

async function discover(endpoint: Endpoint, service: RemoteApiService, backends: RemoteBackends) {
  const path = `/apis/${service.spec.group}/${service.spec.version}`;
  const url = `https://${hostPort(endpoint.host, endpoint.port)}${path}`;
  const refuse = (why: string) => new Error(`failing or missing response from ${url}: ${why}`);
  const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS);
  const body = await ask(endpoint, service, backends, path, signal).catch((error: unknown) => {
    if (error instanceof BadStatus) throw refuse(`bad status from ${url}: ${error.status}`);
    const why = signal.aborted
      ? 'context deadline exceeded (Client.Timeout exceeded while awaiting headers)'
      : dialErrorText(error, endpoint.host, endpoint.port);
    throw refuse(`Get "${url}": ${why}`);
  });
  return (body as Partial<APIResourceList>).resources ?? [];
}

class BadStatus extends Error {
  readonly status: number;

  constructor(status: number) {
    super(`bad status ${status}`);
    this.status = status;
  }
}

/** A JSON document of an extension API server, asked for as this server itself. */
export async function ask(
  endpoint: Endpoint,
  service: RemoteApiService,
  backends: RemoteBackends,
  path: string,
  signal: AbortSignal,
): Promise<unknown> {
  const backend = backends.backendAt(endpoint, service, AGGREGATOR_USER, { signal });
  const headers = { accept: 'application/json', 'user-agent': 'kube-apiserver' };
  const request = beginRequest(backend, { method: 'GET', path, headers });
  request.end();
  const response = await responseOf(request);
  const code = response.statusCode ?? 0;
  if (code < 200 || code >= 300) {
    response.resume();
    throw new BadStatus(code);
  }
  return parse(await read(response));
}

async function read(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += (chunk as Buffer).length;
    if (size > MAX_ANSWER_BYTES) throw new Error(`the answer is longer than ${MAX_ANSWER_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A server may answer anything with 200: that is no reason to call it unavailable, but nothing is learned from it. */
function parse(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
