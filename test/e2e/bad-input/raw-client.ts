import { Agent, request } from 'node:https';
import { connect, type TLSSocket } from 'node:tls';
import type { EmbeddedCluster } from '../../support/embedded-cluster.ts';

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  /** The answer as a Status, or as whatever object it is. */
  readonly body: {
    readonly kind?: string;
    readonly reason?: string;
    readonly message?: string;
    readonly [field: string]: unknown;
  };
}

export interface RawRequest {
  readonly method?: string;
  readonly body?: string | Uint8Array;
  readonly contentType?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** In place of the administrator's certificate; `none` shows none. */
  readonly identity?: { readonly cert: string; readonly key: string } | 'none';
}

/** Sends what no real client would. */
export class RawClient {
  readonly #embedded: EmbeddedCluster;
  readonly #agents: Agent[] = [];
  readonly #admin: Agent;

  constructor(embedded: EmbeddedCluster) {
    this.#embedded = embedded;
    this.#admin = this.#agent(embedded.identity);
  }

  #agent(identity: { readonly cert?: string; readonly key?: string }): Agent {
    const agent = new Agent({
      ca: this.#embedded.identity.ca,
      cert: identity.cert,
      key: identity.key,
      keepAlive: true,
    });
    this.#agents.push(agent);
    return agent;
  }

  send(
    path: string,
    { method = 'GET', body, contentType = 'application/json', headers = {}, identity }: RawRequest = {},
  ): Promise<Answer> {
    const agent = identity === undefined ? this.#admin : this.#agent(identity === 'none' ? {} : identity);
    return new Promise((resolve, reject) => {
      const url = new URL(this.#embedded.server);
      const sent =
        body === undefined ? {} : { 'content-type': contentType, 'content-length': String(Buffer.byteLength(body)) };
      const outgoing = request(
        { host: url.hostname, port: url.port, path, method, agent, headers: { ...sent, ...headers } },
        (response) => {
          let text = '';
          response.setEncoding('utf8');
          response.on('data', (chunk) => {
            text += chunk;
          });
          response.on('error', reject);
          response.on('end', () => {
            let parsed: Answer['body'] = {};
            try {
              parsed = JSON.parse(text);
            } catch {
              // Some paths answer with plain text.
            }
            resolve({ code: response.statusCode ?? 0, headers: response.headers, text, body: parsed });
          });
        },
      );
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }

  /** `TYPE name` of each event as it comes; `end` when the server ends the watch. */
  watch(path: string): Promise<{ readonly events: readonly string[]; stop(): void }> {
    const url = new URL(this.#embedded.server);
    const events: string[] = [];
    return new Promise((resolve, reject) => {
      const outgoing = request({ host: url.hostname, port: url.port, path, agent: this.#admin }, (response) => {
        let rest = '';
        response.setEncoding('utf8');
        response.on('data', (chunk) => {
          const lines = `${rest}${chunk}`.split('\n');
          rest = lines.pop()!;
          for (const line of lines) {
            const { type, object } = JSON.parse(line);
            events.push(`${type} ${object.metadata.name}`);
          }
        });
        response.on('close', () => events.push('end'));
        resolve({ events, stop: () => outgoing.destroy() });
      });
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  /** A TLS connection to write anything to. */
  socket(): Promise<TLSSocket> {
    const url = new URL(this.#embedded.server);
    const { ca, cert, key } = this.#embedded.identity;
    return new Promise((resolve, reject) => {
      const socket = connect(
        { host: url.hostname, port: Number(url.port), ca, cert, key, ALPNProtocols: ['http/1.1'] },
        () => resolve(socket),
      );
      socket.on('error', reject);
    });
  }

  close(): void {
    for (const agent of this.#agents) agent.destroy();
  }
}
