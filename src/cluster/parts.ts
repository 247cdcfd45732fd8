import type { Logger } from '../apimachinery/logger.ts';
import type { Security } from '../apiserver/security.ts';
import type { ApiServer } from '../apiserver/server.ts';
import type { PodAddresses } from '../kubelet/runtime/simulated/pod-addresses.ts';
import type { UserInfo } from '../sdk/user.ts';
import type { Store } from '../store/store.ts';
import { type Connection, connect } from './connection.ts';
import type { Timeline } from './graph/component.ts';
import type { NodeParts, NodeSite } from './node-site.ts';
import type { ClusterConfig } from './options.ts';
import type { Pki } from './pki/pki.ts';

export { type Connection, connect } from './connection.ts';

/**
 * What components hand on to those that require them: filled as they start. A getter whose part is not there yet throws,
 * for then a `requires` is missing.
 */
export class ClusterParts implements NodeSite {
  readonly config: ClusterConfig;
  readonly logger: Logger;
  readonly #parts = new Map<string, unknown>();
  /** Of each node, in the order of their numbers. */
  readonly nodes: NodeParts[] = [];
  /** Of simulated pods, of all nodes. */
  podAddresses: PodAddresses | undefined;
  readonly requires = { api: 'apiserver', controllers: 'controller-manager' };
  /** Shown to users: name to URL. */
  readonly addresses: Record<string, string> = {};
  timeline: () => Timeline = () => ({ startedAt: 0, phases: [], components: [] });

  constructor(config: ClusterConfig, logger: Logger) {
    this.config = config;
    this.logger = logger;
  }

  get runtime(): ClusterConfig['runtime'] {
    return this.config.runtime;
  }

  get containerRuntimeEndpoint(): string | undefined {
    return this.config.containerRuntimeEndpoint;
  }

  get pki(): Pki {
    return this.#get('pki');
  }
  set pki(value: Pki) {
    this.#parts.set('pki', value);
  }

  get store(): Store {
    return this.#get('store');
  }
  set store(value: Store) {
    this.#parts.set('store', value);
  }

  get api(): ApiServer {
    return this.#get('api');
  }
  set api(value: ApiServer) {
    this.#parts.set('api', value);
  }

  get security(): Security {
    return this.#get('security');
  }
  set security(value: Security) {
    this.#parts.set('security', value);
  }

  /** Of the add-ons in this process. */
  get addons(): Connection {
    return this.#get('addons');
  }
  set addons(value: Connection) {
    this.#parts.set('addons', value);
  }

  /** The API in the process, as `user`. */
  connect(user: UserInfo, userAgent: string): Connection {
    return connect(this.api.transport(user, userAgent), this.logger);
  }

  #get<T>(name: string): T {
    const part = this.#parts.get(name);
    if (part === undefined) throw new Error(`"${name}" was asked for before the component that makes it is ready`);
    return part as T;
  }
}
