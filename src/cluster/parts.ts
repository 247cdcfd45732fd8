import type { Logger } from '../apimachinery/logger.ts';
import type { Transport } from '../apimachinery/transport.ts';
import type { Security } from '../apiserver/security.ts';
import type { ApiServer } from '../apiserver/server.ts';
import type { Client } from '../client/client.ts';
import { createClient } from '../client/create-client.ts';
import type { InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import type { UserInfo } from '../sdk/user.ts';
import type { Store } from '../store/store.ts';
import type { NodeParts } from './components/node.ts';
import type { Timeline } from './graph/component.ts';
import type { ClusterConfig } from './options.ts';
import type { Pki } from './pki/pki.ts';

/** A client and its informers, of one identity. */
export interface Connection {
  readonly client: Client;
  readonly informers: InformerFactory;
  close(): Promise<void>;
}

/**
 * What components hand on to those that require them: filled as they start. A getter whose part is not there yet throws,
 * for then a `requires` is missing.
 */
export class ClusterParts {
  readonly config: ClusterConfig;
  readonly logger: Logger;
  readonly #parts = new Map<string, unknown>();
  /** Of each node, in the order of their numbers. */
  readonly nodes: NodeParts[] = [];
  /** Shown to users: name to URL. */
  readonly addresses: Record<string, string> = {};
  timeline: () => Timeline = () => ({ startedAt: 0, phases: [], components: [] });

  constructor(config: ClusterConfig, logger: Logger) {
    this.config = config;
    this.logger = logger;
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

export function connect(transport: Transport, logger: Logger): Connection {
  const client = createClient(transport);
  const informers = createInformerFactory(client, { logger });
  return {
    client,
    informers,
    async close() {
      await informers.stop();
      await client.close();
    },
  };
}
