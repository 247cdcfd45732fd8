import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { CodedError } from '../../apimachinery/coded-error.ts';
import descriptor from './rpc.json' with { type: 'json' };

export interface EtcdTls {
  /** PEM. */
  readonly ca?: Uint8Array;
  readonly cert?: Uint8Array;
  readonly key?: Uint8Array;
}

type Client = InstanceType<ReturnType<typeof grpc.makeGenericClientConstructor>>;
export type ServiceName = 'KV' | 'Watch' | 'Lease';

const READY_TIMEOUT_MS = 2000;
const CALL_TIMEOUT_MS = 10_000;
const UNAVAILABLE = 14;
const KEEPALIVE_MS = 10_000;

/** The members of an etcd cluster; calls go to one that answers. */
export class Endpoints {
  readonly #names: readonly string[];
  readonly #members: readonly Record<ServiceName, Client>[];
  #current = 0;
  #closed = false;

  private constructor(names: readonly string[], members: readonly Record<ServiceName, Client>[]) {
    this.#names = names;
    this.#members = members;
  }

  static open(endpoints: readonly string[], tls: EtcdTls | undefined): Endpoints {
    const definition = fromJSON(descriptor as unknown as Parameters<typeof fromJSON>[0], {
      longs: String,
      enums: String,
      defaults: true,
      keepCase: true,
      oneofs: false,
    });
    const options = {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_http_proxy': 0,
      'grpc.service_config_disable_resolution': 1,
    };
    const pem = (bytes: Uint8Array | undefined) => (bytes ? Buffer.from(bytes) : null);
    const members = endpoints.map((endpoint) => {
      const { address, secure } = parseEndpoint(endpoint);
      const credentials =
        secure || tls
          ? grpc.credentials.createSsl(pem(tls?.ca), pem(tls?.key), pem(tls?.cert))
          : grpc.credentials.createInsecure();
      const channel = new grpc.Channel(address, credentials, options);
      const client = (service: ServiceName) => {
        const methods = definition[`etcdserverpb.${service}`];
        if (!methods || 'format' in methods) throw new Error(`rpc.json has no service ${service}`);
        const Client = grpc.makeGenericClientConstructor(methods as never, service);
        return new Client(address, credentials, { channelOverride: channel });
      };
      return { KV: client('KV'), Watch: client('Watch'), Lease: client('Lease') };
    });
    return new Endpoints(endpoints, members);
  }

  /** Rejects with the call's ServiceError, or CodedError ETCD_UNREACHABLE when no member can be reached. */
  async call<R>(service: ServiceName, method: string, request: object): Promise<R> {
    const client = await this.#ready(service);
    return new Promise((resolve, reject) => {
      const callback = (error: ServiceError | null, response: R) => {
        if (!error) resolve(response);
        else {
          if (error.code === UNAVAILABLE) this.#next();
          reject(error);
        }
      };
      client[method]?.(request, { deadline: Date.now() + CALL_TIMEOUT_MS }, callback);
    });
  }

  /** Like `call`, but goes to another member when one fails: for what may be done twice. */
  async callAgain<R>(service: ServiceName, method: string, request: object): Promise<R> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.call<R>(service, method, request);
      } catch (error) {
        if ((error as ServiceError).code !== UNAVAILABLE || attempt > this.#members.length) throw error;
      }
    }
  }

  async stream<I, O>(service: ServiceName, method: string): Promise<ClientDuplexStream<I, O>> {
    const client = await this.#ready(service);
    return client[method]?.() as unknown as ClientDuplexStream<I, O>;
  }

  /** Others are tried before the member that was used last. */
  failed(): void {
    this.#next();
  }

  close(): void {
    this.#closed = true;
    for (const member of this.#members) for (const client of Object.values(member)) client.close();
  }

  async #ready(service: ServiceName): Promise<Client> {
    let cause: unknown;
    for (let i = 0; i < this.#members.length && !this.#closed; i++) {
      const client = this.#members[this.#current]?.[service] as Client;
      try {
        await new Promise<void>((resolve, reject) =>
          client.waitForReady(Date.now() + READY_TIMEOUT_MS, (error) => (error ? reject(error) : resolve())),
        );
        return client;
      } catch (error) {
        cause = error;
        this.#next();
      }
    }
    if (this.#closed) throw new Error('the datastore is closed');
    throw new CodedError(
      'ETCD_UNREACHABLE',
      `no etcd member answers at ${this.#names.join(', ')}`,
      'Check that etcd runs there and that the endpoints and TLS files are right.',
      { cause },
    );
  }

  #next(): void {
    this.#current = (this.#current + 1) % this.#members.length;
  }
}

/** `http://host:port`, `https://host:port`, `unix:/path` or `host:port`. */
function parseEndpoint(endpoint: string): { address: string; secure: boolean } {
  const match = /^(https?):\/\/([^/]+)\/?$/.exec(endpoint);
  if (!match) return { address: endpoint, secure: false };
  return { address: match[2] as string, secure: match[1] === 'https' };
}
