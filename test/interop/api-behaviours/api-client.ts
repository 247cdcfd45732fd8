import { Agent, request } from 'node:https';
import { createGunzip } from 'node:zlib';
import type { EmbeddedCluster } from '../../support/embedded-cluster.ts';

export interface Metadata {
  readonly name: string;
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
  readonly generation?: number;
  readonly deletionTimestamp?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly finalizers?: readonly string[];
  readonly managedFields?: readonly {
    readonly manager: string;
    readonly operation: string;
    readonly subresource?: string;
  }[];
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** Any answer of the API, loosely: each test asks for the fields that it is about. */
export interface Body {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: Metadata;
  readonly code?: number;
  readonly reason?: string;
  readonly message?: string;
  readonly items?: readonly Body[];
  // biome-ignore lint/suspicious/noExplicitAny: a test knows which object it asked for
  readonly [field: string]: any;
}

export interface Answer {
  readonly code: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly bytes: Buffer;
  readonly body: Body;
}

export interface Call {
  readonly method?: string;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Event {
  readonly type: string;
  readonly object: Body;
}

export interface Watch {
  readonly events: readonly Event[];
  readonly ended: Promise<void>;
  stop(): void;
}

/** Plain HTTPS as the administrator: every header and byte is the test's own. */
export class ApiClient {
  readonly #url: URL;
  readonly #agent: Agent;

  constructor({ server, identity }: Pick<EmbeddedCluster, 'server' | 'identity'>) {
    this.#url = new URL(server);
    this.#agent = new Agent({ ...identity, keepAlive: true });
  }

  async send(path: string, { method = 'GET', body, contentType, accept, headers }: Call = {}): Promise<Answer> {
    const raw = body === undefined || typeof body === 'string' || body instanceof Uint8Array;
    const sent = raw ? (body as string | Uint8Array | undefined) : JSON.stringify(body);
    const response = await new Promise<{ code: number; headers: Answer['headers']; bytes: Buffer }>(
      (resolve, reject) => {
        const outgoing = request(
          {
            host: this.#url.hostname,
            port: this.#url.port,
            path,
            method,
            agent: this.#agent,
            headers: {
              'user-agent': 'api-behaviours',
              ...(sent === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
              ...(sent === undefined ? {} : { 'content-length': String(Buffer.byteLength(sent)) }),
              ...(accept ? { accept } : {}),
              ...headers,
            },
          },
          (incoming) => {
            const chunks: Buffer[] = [];
            const stream = incoming.headers['content-encoding'] === 'gzip' ? incoming.pipe(createGunzip()) : incoming;
            stream.on('data', (chunk: Buffer) => chunks.push(chunk));
            stream.on('error', reject);
            stream.on('end', () =>
              resolve({ code: incoming.statusCode ?? 0, headers: incoming.headers, bytes: Buffer.concat(chunks) }),
            );
          },
        );
        outgoing.on('error', reject);
        outgoing.end(sent);
      },
    );
    const json = /json/.test(String(response.headers['content-type']));
    return { ...response, body: json ? JSON.parse(response.bytes.toString()) : ({} as Body) };
  }

  /** The object of an answer that has to be a success. */
  async ok(path: string, call: Call = {}): Promise<Body> {
    const answer = await this.send(path, call);
    if (answer.code >= 300)
      throw new Error(`${call.method ?? 'GET'} ${path}: ${answer.code} ${answer.body.message ?? answer.bytes}`);
    return answer.body;
  }

  patch(path: string, type: string, body: unknown): Promise<Answer> {
    return this.send(path, { method: 'PATCH', body, contentType: `application/${type}` });
  }

  /** Events of a JSON stream as they come. Throws when the server refuses the watch. */
  watch(path: string, accept?: string): Promise<Watch> {
    const events: Event[] = [];
    return new Promise((resolve, reject) => {
      const outgoing = request(
        {
          host: this.#url.hostname,
          port: this.#url.port,
          path,
          agent: this.#agent,
          headers: accept ? { accept } : {},
        },
        (incoming) => {
          let rest = '';
          incoming.setEncoding('utf8');
          incoming.on('data', (chunk: string) => {
            const lines = `${rest}${chunk}`.split('\n');
            rest = lines.pop() ?? '';
            for (const line of lines) events.push(JSON.parse(line));
          });
          if (incoming.statusCode !== 200) {
            incoming.on('end', () => reject(new Error(`${incoming.statusCode} ${rest}`)));
            return;
          }
          const ended = new Promise<void>((end) => incoming.on('close', end));
          resolve({ events, ended, stop: () => outgoing.destroy() });
        },
      );
      outgoing.on('error', reject);
      outgoing.end();
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** The collection of a resource, and in it an object. */
export function pathOf(apiVersion: string, resource: string, namespace?: string, ...rest: string[]): string {
  const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  return [root, ...(namespace ? ['namespaces', namespace] : []), resource, ...rest].join('/');
}
