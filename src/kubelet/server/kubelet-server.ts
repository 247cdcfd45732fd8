import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import { createKubeletAccess } from './kubelet-access.ts';
import { failureOf, KubeletHandlers, type KubeletTarget } from './kubelet-handlers.ts';
import { refuseUpgrade } from './streaming/upgrade.ts';

export interface KubeletServerTls {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** CAs whose client certificates are believed. */
  readonly clientCA: string | readonly string[];
}

export interface KubeletServerOptions {
  /** Asked who tokens belong to, and what callers may do. */
  readonly client: Client;
  readonly logger: Logger;
  readonly nodeName: string;
  readonly tls: KubeletServerTls;
  /** All addresses when absent. */
  readonly host?: string;
  /** 10250 when absent; 0 takes a free one. */
  readonly port?: number;
  /** CN of the certificate that the API server calls with; `kube-apiserver-kubelet-client` when absent. */
  readonly apiServerName?: string;
}

export interface KubeletServer {
  /** Rejects with Node's error (EADDRINUSE) when it cannot listen. */
  start(): Promise<void>;
  /** Where it listens; 0 before `start`. */
  readonly port: number;
  /** What it serves from now on; until then requests get 503. */
  serve(target: Omit<KubeletTarget, 'nodeName' | 'logger'>): void;
  /** New connections get the new certificate. */
  renewCertificate(tls: KubeletServerTls): void;
  /** Ends all connections: logs, exec sessions and port-forwards with them. */
  stop(): Promise<void>;
}

/** The kubelet's HTTPS server: logs, exec, attach, port-forward, statistics and metrics of the pods of one node. */
export function createKubeletServer(options: KubeletServerOptions): KubeletServer {
  const { nodeName, client } = options;
  const logger = options.logger.child({ component: 'kubelet-server', node: nodeName });
  const access = createKubeletAccess({
    client,
    nodeName,
    apiServerName: options.apiServerName ?? 'kube-apiserver-kubelet-client',
  });
  const sockets = new Set<Duplex>();
  let handlers: KubeletHandlers | undefined;
  let server: Server | undefined;

  /** The handlers, for a request that may have them. */
  async function admitted(
    request: IncomingMessage,
    url: URL,
  ): Promise<KubeletHandlers | { readonly code: number; readonly text: string }> {
    const refusal = await access.refusal(request, url.pathname);
    return refusal ?? handlers ?? { code: 503, text: 'the kubelet is starting' };
  }

  async function onRequest(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const url = urlOf(request);
      const found = await admitted(request, url);
      if (found instanceof KubeletHandlers) await found.handle(url, request, response);
      else answer(response, found);
    } catch (error) {
      const failure = failureOf(error);
      if (failure.code === 500) logger.warn({ err: error, url: request.url?.split('?')[0] }, 'a request failed');
      answer(response, failure);
    }
  }

  async function onUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const upgrade = { request, socket, head };
    socket.on('error', () => undefined);
    try {
      const url = urlOf(request);
      const found = await admitted(request, url);
      if (found instanceof KubeletHandlers) await found.upgrade(url, upgrade);
      else refuseUpgrade(upgrade, found.code, found.text);
    } catch (error) {
      const { code, text } = failureOf(error);
      logger.debug({ err: error, url: request.url?.split('?')[0] }, 'a streaming request failed');
      refuseUpgrade(upgrade, code, text);
    }
  }

  return {
    get port() {
      return (server?.address() as AddressInfo | null)?.port ?? 0;
    },
    serve(target) {
      handlers = new KubeletHandlers({ ...target, nodeName, logger });
    },
    renewCertificate: (tls) => server?.setSecureContext(secureContext(tls)),
    start() {
      const created = createServer({
        ...secureContext(options.tls),
        requestCert: true,
        rejectUnauthorized: false,
        minVersion: 'TLSv1.2',
        maxHeaderSize: 64 * 1024,
      });
      server = created;
      created.requestTimeout = 120_000;
      created.on('request', (request, response) => void onRequest(request, response));
      created.on('upgrade', (request, socket, head) => void onUpgrade(request, socket, head));
      created.on('secureConnection', (socket) => {
        sockets.add(socket);
        socket.setNoDelay(true);
        socket.setKeepAlive(true, 30_000);
        socket.once('close', () => sockets.delete(socket));
        socket.on('error', () => undefined);
      });
      created.on('tlsClientError', (_error, socket) => socket.destroy());
      return new Promise((resolve, reject) => {
        created.once('error', reject);
        created.listen(options.port ?? 10250, options.host, () => {
          created.off('error', reject);
          created.on('error', (error) => logger.warn({ err: error }, 'the server had an error'));
          resolve();
        });
      });
    },
    async stop() {
      const current = server;
      if (!current) return;
      server = undefined;
      handlers = undefined;
      const closed = new Promise<void>((resolve) => current.close(() => resolve()));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const urlOf = (request: IncomingMessage) => new URL(request.url ?? '/', 'https://kubelet');

function answer(response: ServerResponse, { code, text }: { readonly code: number; readonly text: string }): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  response.writeHead(code, {
    'content-type': 'text/plain; charset=utf-8',
    'x-content-type-options': 'nosniff',
    'content-length': Buffer.byteLength(text),
  });
  response.end(text);
}

function secureContext({ cert, key, clientCA }: KubeletServerTls) {
  return { cert, key, ca: clientCA as string | string[] };
}
