import { randomInt } from 'node:crypto';
import { Agent } from 'node:https';
import type { Service } from '../../api/types/core.v1.gen.ts';
import { serviceUnavailable } from '../../apimachinery/status-error.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { Backend } from '../proxy/backend.ts';
import { type Endpoint, endpointsOf } from '../proxy/service-proxy.ts';
import { identityHeaders } from './identity-headers.ts';
import type { RemoteApiService } from './remote-api-services.ts';

/** What extension API servers know this one by; PEM. */
export interface FrontProxyCertificate {
  readonly cert: string;
  readonly key: string;
}

interface Tls {
  readonly cert: string;
  readonly key: string;
  readonly servername: string;
  readonly rejectUnauthorized?: boolean;
  readonly ca?: string;
}

interface Connections {
  readonly tls: Tls;
  readonly agent: Agent;
}

const IDLE_CONNECTIONS = 8;

/** Connections to the servers behind APIServices, kept between requests. */
export class RemoteBackends {
  readonly #reader: ObjectReader;
  readonly #certificate: () => FrontProxyCertificate;
  readonly #connections = new Map<string, Connections>();

  /** `certificate` is read at every request, for it is renewed. */
  constructor(reader: ObjectReader, certificate: () => FrontProxyCertificate) {
    this.#reader = reader;
    this.#certificate = certificate;
  }

  /** Where the Service leads; none when it has no endpoint for the port. Throws StatusError 503 when it has no such port. */
  endpoints({ spec }: RemoteApiService): readonly Endpoint[] {
    const { namespace, name, port } = spec.service;
    const service = this.#reader.get<Service>('services', name, namespace);
    if (!service) throw serviceUnavailable(`service ${JSON.stringify(name)} not found`);
    const { type, externalName, ports } = service.spec ?? {};
    if (type === 'ExternalName') return [{ host: externalName!, port }];
    const found = ports?.find((candidate) => candidate.port === port);
    if (!found) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
    return endpointsOf(this.#reader, namespace, name, found.name ?? '');
  }

  /** One of the endpoints, for requests of `user`. Throws StatusError 503 when there is none. */
  backend(
    service: RemoteApiService,
    user: UserInfo,
    { upgrade = false, signal }: { upgrade?: boolean; signal?: AbortSignal } = {},
  ): Backend {
    const endpoints = this.endpoints(service);
    const endpoint = endpoints[endpoints.length > 1 ? randomInt(endpoints.length) : 0];
    if (!endpoint)
      throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(service.spec.service.name)}`);
    return this.backendAt(endpoint, service, user, { upgrade, ...(signal ? { signal } : {}) });
  }

  backendAt(
    endpoint: Endpoint,
    service: RemoteApiService,
    user: UserInfo,
    { upgrade = false, signal }: { upgrade?: boolean; signal?: AbortSignal } = {},
  ): Backend {
    const { tls, agent } = this.#connectionsOf(service);
    return {
      scheme: 'https',
      ...endpoint,
      tls: upgrade ? tls : { agent },
      headers: identityHeaders(user),
      ...(signal ? { signal } : {}),
    };
  }

  /** Its idle connections close; what is under way goes on. */
  forget(name: string): void {
    const known = this.#connections.get(name);
    if (!known) return;
    this.#connections.delete(name);
    known.agent.maxFreeSockets = 0;
    for (const sockets of Object.values(known.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }

  close(): void {
    for (const { agent } of this.#connections.values()) agent.destroy();
    this.#connections.clear();
  }

  #connectionsOf({ metadata, spec }: RemoteApiService): Connections {
    const { cert, key } = this.#certificate();
    const { caBundle, insecureSkipTLSVerify, service } = spec;
    const ca = caBundle ? Buffer.from(caBundle, 'base64').toString('utf8') : undefined;
    const servername = `${service.name}.${service.namespace}.svc`;
    const known = this.#connections.get(metadata.name);
    if (
      known?.tls.cert === cert &&
      known.tls.ca === ca &&
      known.tls.servername === servername &&
      known.tls.rejectUnauthorized === !insecureSkipTLSVerify
    )
      return known;
    this.forget(metadata.name);
    const tls: Tls = { cert, key, servername, rejectUnauthorized: !insecureSkipTLSVerify, ...(ca ? { ca } : {}) };
    const connections = { tls, agent: new Agent({ ...tls, keepAlive: true, maxFreeSockets: IDLE_CONNECTIONS }) };
    this.#connections.set(metadata.name, connections);
    return connections;
  }
}
