import { createServer } from 'node:http';
import { createSecureServer } from 'node:http2';
import type { AddressInfo, Server, Socket } from 'node:net';
import type { Ingress } from '../../api/types/networking.v1.gen.ts';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { EndpointSlices, IngressClasses, Ingresses, Secrets, Services } from '../../client/resource-types.gen.ts';
import { Backends } from './backends.ts';
import { CertificateStore } from './certificates.ts';
import { IngressProxy } from './proxy.ts';
import { RouteTable } from './routes.ts';

export interface IngressAddonOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly logger: Logger;
  /** Written to the Ingresses' status. */
  readonly nodeIP: string;
  readonly bindAddress: string;
  /** 0 takes a free one. */
  readonly ports: { readonly http: number; readonly https: number };
  /** Shown to clients whose host has no certificate; PEM. */
  readonly defaultCertificate: { readonly cert: string; readonly key: string };
}

const CLASS = 'k8ts';
const CONTROLLER = 'k8ts.dev/ingress';

export interface IngressAddon {
  start(): Promise<void>;
  stop(): Promise<void>;
  /** As listened on, after `start`. */
  readonly ports: { readonly http: number; readonly https: number };
}

/** The ingress controller: host and path rules and TLS, served from this process. */
export function createIngressAddon(options: IngressAddonOptions): IngressAddon {
  return new IngressController(options);
}

class IngressController implements IngressAddon {
  readonly #options: IngressAddonOptions;
  readonly #ingresses;
  readonly #classes;
  readonly #secrets;
  readonly #proxy: IngressProxy;
  readonly #certificates: CertificateStore;
  readonly #servers: Server[] = [];
  readonly #sockets = new Set<Socket>();
  #routes = new RouteTable([]);
  #removeHandlers: (() => void)[] = [];
  #pendingStatus = Promise.resolve();
  #timer: NodeJS.Timeout | undefined;
  ports = { http: 0, https: 0 };

  constructor(options: IngressAddonOptions) {
    const { informers } = options;
    this.#options = options;
    this.#ingresses = informers.informer(Ingresses);
    this.#classes = informers.informer(IngressClasses);
    this.#secrets = informers.informer(Secrets, { fieldSelector: 'type=kubernetes.io/tls' });
    const backends = new Backends(informers.informer(Services), informers.informer(EndpointSlices));
    this.#proxy = new IngressProxy({ routes: () => this.#routes, backends, logger: options.logger });
    this.#certificates = new CertificateStore(this.#secrets, options.defaultCertificate, options.logger);
  }

  async start(): Promise<void> {
    const { client, informers, ports, bindAddress } = this.#options;
    const listening = Promise.all([
      this.#listen(false, ports.http, bindAddress),
      this.#listen(true, ports.https, bindAddress),
    ]);
    informers.start();
    const [[http, https]] = await Promise.all([listening, ensureClass(client), informers.whenSynced()]);
    this.ports = { http, https };
    const onChange = () => this.#changed();
    this.#removeHandlers = [
      this.#ingresses.addHandler({ onAdd: onChange, onUpdate: onChange, onDelete: onChange }),
      this.#classes.addHandler({ onAdd: onChange, onUpdate: onChange, onDelete: onChange }),
    ];
    this.#reload();
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer);
    for (const remove of this.#removeHandlers) remove();
    const closed = this.#servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve())));
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all([...closed, this.#proxy.stop(), this.#pendingStatus]);
  }

  #changed(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#reload();
    }, 10);
  }

  #reload(): void {
    const ours = this.#ingresses.list().filter((ingress) => this.#isOurs(ingress));
    this.#routes = new RouteTable(ours);
    this.#pendingStatus = this.#pendingStatus
      .then(() => this.#publishStatus(ours))
      .catch((error) => this.#options.logger.warn({ err: error }, "an Ingress' status was not written"));
  }

  #isOurs(ingress: Ingress): boolean {
    const name = ingress.spec.ingressClassName ?? ingress.metadata.annotations?.['kubernetes.io/ingress.class'];
    if (name === undefined)
      return this.#classes.get(CLASS)?.metadata.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
    return name === CLASS || this.#classes.get(name)?.spec.controller === CONTROLLER;
  }

  async #publishStatus(ingresses: readonly Ingress[]): Promise<void> {
    const { client, nodeIP } = this.#options;
    for (const ingress of ingresses) {
      if (ingress.status?.loadBalancer?.ingress?.some(({ ip }) => ip === nodeIP)) continue;
      const { name, namespace } = ingress.metadata;
      await client
        .for(Ingresses)
        .patch(
          { name, namespace: namespace! },
          'merge',
          { status: { loadBalancer: { ingress: [{ ip: nodeIP }] } } },
          { subresource: 'status' },
        )
        .catch((error) => {
          if (!isStatusError(error, 'NotFound')) throw error;
        });
    }
  }

  async #listen(secure: boolean, port: number, address: string): Promise<number> {
    const server = secure
      ? createSecureServer({
          allowHTTP1: true,
          SNICallback: (name, done) => done(null, this.#certificates.contextFor(this.#routes.secretFor(name))),
          ...this.#options.defaultCertificate,
        })
      : createServer();
    server.on('request', (request, response) => this.#proxy.handle(request, response, secure));
    server.on('upgrade', (request, socket, head) => this.#proxy.upgrade(request, socket, head, secure));
    server.on('clientError', (_error: Error, socket: Socket) => socket.destroy());
    server.on('sessionError', () => {});
    const track = (socket: Socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    };
    server.on('connection', track);
    this.#servers.push(server as unknown as Server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenFailure(error, port)));
      server.listen(port, address, resolve);
    });
    return (server.address() as AddressInfo).port;
  }
}

async function ensureClass(client: Client): Promise<void> {
  await client
    .for(IngressClasses)
    .create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'IngressClass',
      metadata: { name: CLASS, annotations: { 'ingressclass.kubernetes.io/is-default-class': 'true' } },
      spec: { controller: CONTROLLER },
    })
    .catch((error) => {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    });
}

function listenFailure(cause: NodeJS.ErrnoException, port: number): CodedError {
  if (cause.code === 'EADDRINUSE')
    return new CodedError(
      'PORT_IN_USE',
      `port ${port} is taken by another program`,
      'Free it, or choose others with --ingress-ports HTTP,HTTPS, or leave ingress out with --disable ingress.',
      { cause },
    );
  if (cause.code === 'EACCES')
    return new CodedError(
      'PORT_FORBIDDEN',
      `port ${port} needs root`,
      'Run as root, or choose others with --ingress-ports HTTP,HTTPS.',
      { cause },
    );
  return new CodedError(
    'LISTEN_FAILED',
    `port ${port} can't be listened on: ${cause.message}`,
    'Choose others with --ingress-ports HTTP,HTTPS.',
    { cause },
  );
}
