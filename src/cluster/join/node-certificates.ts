import { setTimeout as sleep } from 'node:timers/promises';
import type { CertificateSigningRequest } from '../../api/types/certificates.v1.gen.ts';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Client } from '../../client/client.ts';
import { CertificateSigningRequests } from '../../client/resource-types.gen.ts';
import { isDue, isExpired, isUnsuitable } from '../pki/certificate-check.ts';
import type { CertificateRequest, KeyPair } from '../pki/certificate-request.ts';
import type { KeyFiles } from '../pki/key-files.ts';
import type { NodePki } from '../pki/pki.ts';

const CLIENT = 'kubelet-client';
const CLIENT_SIGNER = 'kubernetes.io/kube-apiserver-client-kubelet';
const SERVING_SIGNER = 'kubernetes.io/kubelet-serving';
const NODES = 'system:nodes';
const POLL_MS = 100;
const APPROVAL_TIMEOUT_MS = 20_000;
/** Names of every host alike: a node's certificate has only its own. */
const LOOPBACK = new Set(['localhost', '127.0.0.1', '::1']);

export interface NodeCertificatesOptions {
  readonly nodeName: string;
  readonly files: KeyFiles;
  /** The cluster's, PEM. */
  readonly ca: string;
  /** Unix time in ms. */
  readonly now?: () => number;
}

/** The certificates of a node that has joined: signed by the server, through CertificateSigningRequests; kept and renewed here. */
export class NodeCertificates implements NodePki {
  readonly ca: { readonly cert: string };
  readonly #options: NodeCertificatesOptions;
  readonly #kept = new Map<string, { readonly request: CertificateRequest; pair: Promise<KeyPair> }>();
  #client: Client | undefined;
  #identity: KeyPair | undefined;

  constructor(options: NodeCertificatesOptions) {
    this.#options = options;
    this.ca = { cert: options.ca };
  }

  /** Who the node is to the API server; the latest one. */
  get identity(): KeyPair {
    if (!this.#identity) throw new Error('the node has no certificate yet');
    return this.#identity;
  }

  /** From now on requests are made as the node. */
  set client(client: Client) {
    this.#client = client;
  }

  /** Takes the certificate that an earlier run was given; false when there is none that this cluster accepts now. */
  async restore(): Promise<boolean> {
    const pair = await this.#options.files.readPair(CLIENT).catch(() => undefined);
    if (!pair || this.#unusable(pair, this.#clientRequest())) return false;
    this.#identity = pair;
    return true;
  }

  /** Asks for a client certificate as whoever `client` is. Throws CodedError when it is not given. */
  async obtain(client: Client, signal: AbortSignal): Promise<void> {
    const pair = await this.#request(client, CLIENT_SIGNER, this.#clientRequest(), signal);
    await this.#options.files.writePair(CLIENT, pair);
    this.#identity = pair;
  }

  async certificate(name: string, wanted: CertificateRequest): Promise<KeyPair> {
    const request = {
      ...wanted,
      commonName: this.#user,
      organizations: [NODES],
      dnsNames: wanted.dnsNames?.filter((dnsName) => !LOOPBACK.has(dnsName)) ?? [],
      ips: wanted.ips?.filter((ip) => !LOOPBACK.has(ip)) ?? [],
    };
    const known = this.#kept.get(name);
    const pair = await known?.pair.catch(() => undefined);
    if (pair && !this.#unusable(pair, request) && !this.#isDue(pair)) return pair;
    const begun = this.#kept.get(name);
    if (begun && begun !== known) return begun.pair;
    const kept = { request, pair: this.#loadOrRequest(name, request) };
    this.#kept.set(name, kept);
    return kept.pair;
  }

  async rotateIfNeeded(): Promise<readonly string[]> {
    const renewed: string[] = [];
    if (this.#isDue(this.identity)) {
      await this.obtain(this.#connected, AbortSignal.timeout(APPROVAL_TIMEOUT_MS));
      renewed.push(CLIENT);
    }
    for (const [name, { request, pair }] of [...this.#kept]) {
      const before = await pair.catch(() => undefined);
      if (before && (await this.certificate(name, request)) !== before) renewed.push(name);
    }
    return renewed;
  }

  async #loadOrRequest(name: string, request: CertificateRequest): Promise<KeyPair> {
    const stored = await this.#options.files.readPair(name).catch(() => undefined);
    if (stored && !this.#unusable(stored, request) && !this.#isDue(stored)) return stored;
    const pair = await this.#request(
      this.#connected,
      SERVING_SIGNER,
      request,
      AbortSignal.timeout(APPROVAL_TIMEOUT_MS),
    );
    await this.#options.files.writePair(name, pair);
    return pair;
  }

  async #request(
    client: Client,
    signerName: string,
    wanted: CertificateRequest,
    signal: AbortSignal,
  ): Promise<KeyPair> {
    const { newSigningRequest } = await import('../pki/certificates.ts');
    const { csr, key } = await newSigningRequest(wanted);
    const requests = client.for(CertificateSigningRequests);
    const created = await requests.create({
      apiVersion: 'certificates.k8s.io/v1',
      kind: 'CertificateSigningRequest',
      metadata: { generateName: 'node-csr-' },
      spec: {
        request: Buffer.from(csr).toString('base64'),
        signerName,
        usages: ['digital signature', signerName === CLIENT_SIGNER ? 'client auth' : 'server auth'],
      },
    } as never);
    const { name } = created.metadata;
    const deadline = Date.now() + APPROVAL_TIMEOUT_MS;
    for (;;) {
      const { status } = await requests.get({ name }, { signal });
      if (status?.certificate) return { cert: Buffer.from(status.certificate, 'base64').toString('utf8'), key };
      const refusal = refusalOf(status);
      if (refusal)
        throw new CodedError(
          'CERTIFICATE_REFUSED',
          `the server refused a certificate for node ${this.#options.nodeName}: ${refusal}`,
          `See \`kubectl describe csr ${name}\` on the server.`,
        );
      if (Date.now() > deadline)
        throw new CodedError(
          'CERTIFICATE_NOT_SIGNED',
          `nobody approved or signed the certificate request ${name}`,
          `Look at it with \`kubectl get csr\` on the server; \`kubectl certificate approve ${name}\` approves it by hand.`,
        );
      await sleep(POLL_MS, undefined, { signal });
    }
  }

  /** One that is due can be used all the same: to ask for the next. */
  #unusable(pair: KeyPair, request: CertificateRequest): boolean {
    return isUnsuitable(pair, request, this.ca.cert) || isExpired(pair.cert, this.#now());
  }

  #isDue(pair: KeyPair): boolean {
    return isDue(pair.cert, this.#now());
  }

  #now(): number {
    return (this.#options.now ?? Date.now)();
  }

  #clientRequest(): CertificateRequest {
    return { commonName: this.#user, organizations: [NODES], usages: ['client'] };
  }

  get #user(): string {
    return `system:node:${this.#options.nodeName}`;
  }

  get #connected(): Client {
    if (!this.#client) throw new Error('the node has not joined yet');
    return this.#client;
  }
}

function refusalOf(status: CertificateSigningRequest['status']): string | undefined {
  const found = status?.conditions?.find(
    ({ type, status: value }) => (type === 'Denied' || type === 'Failed') && value !== 'False',
  );
  return found && (found.message || found.reason || found.type);
}
