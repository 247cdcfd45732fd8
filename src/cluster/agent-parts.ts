import type { Logger } from '../apimachinery/logger.ts';
import type { ApiRequest, Transport } from '../apimachinery/transport.ts';
import { createHttpTransport } from '../client/http-transport.ts';
import type { UserInfo } from '../sdk/user.ts';
import { type Connection, connect } from './connection.ts';
import { nodeUser } from './identities.ts';
import type { NodeCertificates } from './join/node-certificates.ts';
import type { NodeSettings } from './join/node-settings.ts';
import { createRenewableTransport, type RenewableTransport } from './join/renewable-transport.ts';
import { serverAddress } from './join/server-connection.ts';
import type { NodeConfig, NodeParts, NodeSite } from './node-site.ts';
import type { ClusterConfig } from './options.ts';

export interface AgentConfig {
  /** Of the API server: `https://HOST:PORT`. */
  readonly server: string;
  readonly token: string;
  readonly dataDir: string;
  readonly nodeName: string;
  readonly nodeIP: string;
  readonly runtime: ClusterConfig['runtime'];
  readonly containerRuntimeEndpoint: string | undefined;
  readonly disable: ReadonlySet<string>;
}

/** What the components of an agent hand on. Settings and certificates are there once it has joined. */
export class AgentParts implements NodeSite {
  readonly agent: AgentConfig;
  readonly logger: Logger;
  readonly nodes: NodeParts[] = [];
  readonly requires = { api: 'join', controllers: 'join' };
  readonly #transports = new Set<RenewableTransport>();
  #joined: { readonly settings: NodeSettings; readonly certificates: NodeCertificates } | undefined;

  constructor(agent: AgentConfig, logger: Logger) {
    this.agent = agent;
    this.logger = logger;
  }

  get runtime(): ClusterConfig['runtime'] {
    return this.agent.runtime;
  }

  get containerRuntimeEndpoint(): string | undefined {
    return this.agent.containerRuntimeEndpoint;
  }

  get pki(): NodeCertificates {
    return this.#get().certificates;
  }

  get config(): NodeConfig {
    const { clusterDNS, ...settings } = this.#get().settings;
    const disable = new Set(this.agent.disable);
    if (!clusterDNS) disable.add('dns');
    return { ...settings, clusterDNS: clusterDNS ?? '', disable };
  }

  joined(settings: NodeSettings, certificates: NodeCertificates): void {
    this.#joined = { settings, certificates };
  }

  /** Over HTTPS, with the node's certificate: as this node, or as another component that the node may impersonate. */
  connect(user: UserInfo, userAgent: string): Connection {
    const transport = this.openTransport(this.pki, userAgent);
    const asUser = user.name === nodeUser(this.agent.nodeName).name ? transport : impersonating(user.name, transport);
    return connect(asUser, this.logger);
  }

  /** As the node with these certificates, the latest at each new connection. */
  openTransport(certificates: NodeCertificates, userAgent: string): Transport {
    const { logger } = this;
    const server = serverAddress(this.agent.server).origin;
    const transport = createRenewableTransport(() =>
      createHttpTransport({ server, ca: certificates.ca.cert, ...certificates.identity, userAgent, logger }),
    );
    this.#transports.add(transport);
    return {
      request: (request) => transport.request(request),
      watch: (request, onEvents) => transport.watch(request, onEvents),
      close: () => {
        this.#transports.delete(transport);
        return transport.close();
      },
    };
  }

  /** Connections are made anew with the latest certificate. */
  renewConnections(): void {
    for (const transport of this.#transports) transport.renew();
  }

  #get() {
    if (!this.#joined) throw new Error('the settings of the cluster were asked for before the agent has joined');
    return this.#joined;
  }
}

function impersonating(user: string, transport: Transport): Transport {
  const as = (request: ApiRequest): ApiRequest => ({
    ...request,
    headers: { ...request.headers, 'impersonate-user': user },
  });
  return {
    request: (request) => transport.request(as(request)),
    watch: (request, onEvents) => transport.watch(as(request), onEvents),
    close: () => transport.close(),
  };
}
