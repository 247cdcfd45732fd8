import type { Agent } from 'undici';
import type { WebhookClientConfig } from '../../api/types/apiextensions.v1.gen.ts';
import type { Service } from '../../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../../api/types/discovery.v1.gen.ts';
import type { ObjectReader } from '../object-reader.ts';

export interface WebhookCall {
  readonly config: WebhookClientConfig;
  readonly body: object;
  readonly timeoutMs: number;
  /** `timeout=10s` and the like goes into the URL, as webhooks expect it. */
  readonly query?: string;
}

const MAX_RESPONSE_BYTES = 16 * 1024 * 1024;
const MAX_AGENTS = 64;

/**
 * Posts reviews to webhooks over HTTPS: at a URL, or at a ready endpoint of a Service. Connections are kept. Failures are
 * thrown as Errors in Go's words: callers make them part of their own.
 */
export class WebhookClient {
  readonly #reader: ObjectReader;
  readonly #agents = new Map<string, Agent>();

  constructor(reader: ObjectReader) {
    this.#reader = reader;
  }

  async post({ config, body, timeoutMs, query }: WebhookCall): Promise<unknown> {
    const { url, origin, serverName } = this.#resolve(config);
    const shown = `${url}${query ? `?${query}` : ''}`;
    const { fetch } = await import('undici');
    const signal = AbortSignal.timeout(timeoutMs);
    const dispatcher = await this.#agent(config.caBundle, serverName);
    const send = () =>
      fetch(origin + new URL(shown).pathname + new URL(shown).search, {
        method: 'POST',
        body: JSON.stringify(body),
        headers: {
          'content-type': 'application/json',
          accept: 'application/json',
          'user-agent': 'kube-apiserver-admission',
          host: new URL(url).host,
        },
        dispatcher,
        redirect: 'manual',
        signal,
      });
    let text: string;
    let status: number;
    try {
      const response = await send().catch((error: unknown) => {
        if (wasBrokenOff(error) && !signal.aborted) return send();
        throw error;
      });
      status = response.status;
      text = await readText(response.body);
    } catch (error) {
      throw new Error(
        `Post ${JSON.stringify(shown)}: ${signal.aborted ? 'context deadline exceeded' : reasonOf(error)}`,
      );
    }
    if (status < 200 || status > 206) throw new Error(refusalOf(status, text));
    try {
      return JSON.parse(text);
    } catch (error) {
      throw new Error(`unable to decode the response: ${(error as Error).message}`);
    }
  }

  async close(): Promise<void> {
    const agents = [...this.#agents.values()];
    this.#agents.clear();
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #resolve({ url, service }: WebhookClientConfig): { url: string; origin: string; serverName: string } {
    if (url !== undefined) {
      const parsed = new URL(url);
      return { url, origin: parsed.origin, serverName: parsed.hostname };
    }
    const { name, namespace, path = '', port = 443 } = service!;
    const serverName = `${name}.${namespace}.svc`;
    const endpoint = this.#endpoint(namespace, name, port);
    const host = endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host;
    return {
      url: `https://${serverName}:${port}${path.startsWith('/') || path === '' ? path : `/${path}`}`,
      origin: `https://${host}:${endpoint.port}`,
      serverName,
    };
  }

  #endpoint(namespace: string, name: string, port: number): { host: string; port: number } {
    const service = this.#reader.get<Service>('services', name, namespace);
    if (!service) throw new Error(`service ${JSON.stringify(name)} not found`);
    if (service.spec?.type === 'ExternalName') return { host: service.spec.externalName!, port };
    const servicePort = service.spec?.ports?.find((candidate) => candidate.port === port);
    if (!servicePort) throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
    const candidates = this.#reader
      .list<EndpointSlice>('endpointslices.discovery.k8s.io', namespace)
      .filter(({ metadata }) => metadata.labels?.['kubernetes.io/service-name'] === name)
      .flatMap(({ endpoints, ports }) => {
        const target = ports?.find((candidate) => (candidate.name ?? '') === (servicePort.name ?? ''))?.port;
        if (target === undefined) return [];
        return (endpoints ?? [])
          .filter(({ conditions }) => conditions?.ready !== false)
          .flatMap(({ addresses }) => addresses.slice(0, 1).map((host) => ({ host, port: target })));
      });
    const chosen = candidates[Math.floor(Math.random() * candidates.length)];
    if (!chosen) throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
    return chosen;
  }

  async #agent(caBundle: string | undefined, serverName: string): Promise<Agent> {
    const key = `${serverName}\n${caBundle ?? ''}`;
    let agent = this.#agents.get(key);
    if (!agent) {
      const undici = await import('undici');
      agent = new undici.Agent({
        connections: 16,
        keepAliveTimeout: 30_000,
        connect: {
          servername: /^[\d.]+$|:/.test(serverName) ? '' : serverName,
          ...(caBundle ? { ca: Buffer.from(caBundle, 'base64').toString('utf8') } : {}),
        },
      });
      if (this.#agents.size >= MAX_AGENTS) {
        const [oldest, unused] = this.#agents.entries().next().value!;
        this.#agents.delete(oldest);
        unused.close().catch(() => undefined);
      }
      this.#agents.set(key, agent);
    }
    return agent;
  }
}

async function readText(body: AsyncIterable<Uint8Array> | null): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  if (body)
    for await (const chunk of body) {
      size += chunk.length;
      if (size > MAX_RESPONSE_BYTES) throw new Error('the response is too large');
      chunks.push(chunk);
    }
  return Buffer.concat(chunks).toString('utf8');
}

const refusals: Readonly<Record<number, string>> = {
  400: 'the server rejected our request for an unknown reason',
  401: 'the server has asked for the client to provide credentials',
  404: 'the server could not find the requested resource',
  405: 'the server does not allow this method on the requested resource',
  409: 'the server reported a conflict',
  422: 'the server rejected our request due to an error in our request',
  429: 'the server has received too many requests and has asked us to try again later',
  503: 'the server is currently unable to handle the request',
  504: 'the server was unable to return a response in the time allotted, but may still be processing the request',
};

/** An answer that is no success, as client-go tells of it: by its Status when it is one. */
function refusalOf(status: number, text: string): string {
  try {
    const { kind, message } = JSON.parse(text) as { kind?: unknown; message?: unknown };
    if (kind === 'Status' && typeof message === 'string' && message !== '') return message;
  } catch {
    // Not every server answers in JSON.
  }
  if (status === 403) return text.trim() || 'forbidden';
  const known = refusals[status];
  if (known) return known;
  return status >= 500
    ? `an error on the server (${JSON.stringify(text.slice(0, 2048).trim() || 'unknown')}) has prevented the request from succeeding`
    : `the server responded with the status code ${status} but did not return more information`;
}

/** A kept connection may be closed by a webhook that restarts just when it is used: once more, on a new one. */
function wasBrokenOff(error: unknown): boolean {
  const code = (error as { cause?: { code?: string } }).cause?.code;
  return code === 'ECONNRESET' || code === 'UND_ERR_SOCKET';
}

/** A failure of the network as Go's client would put it. */
function reasonOf(error: unknown): string {
  const cause = (error as { cause?: { code?: string; message?: string; address?: string; port?: number } }).cause;
  const at = cause?.address ? `dial tcp ${cause.address}:${cause.port}: ` : '';
  switch (cause?.code) {
    case 'ECONNREFUSED':
      return `${at}connect: connection refused`;
    case 'EHOSTUNREACH':
      return `${at}connect: no route to host`;
    case 'ECONNRESET':
    case 'UND_ERR_SOCKET':
      return 'EOF';
    case 'ENOTFOUND':
      return `dial tcp: lookup: no such host`;
    case 'UND_ERR_CONNECT_TIMEOUT':
      return `${at}i/o timeout`;
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
      return 'tls: failed to verify certificate: x509: certificate signed by unknown authority';
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return `tls: failed to verify certificate: x509: ${cause.message}`;
    case 'CERT_HAS_EXPIRED':
      return 'tls: failed to verify certificate: x509: certificate has expired or is not yet valid';
    default:
      return cause?.message || (error as Error).message;
  }
}
