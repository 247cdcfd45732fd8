/** A certificate and its private key, both PEM. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateRequest {
  readonly commonName: string;
  readonly organizations?: readonly string[];
  readonly usages: readonly ('client' | 'server')[];
  readonly dnsNames?: readonly string[];
  readonly ips?: readonly string[];
  /** A year when absent; never beyond the authority's end. */
  readonly ttlMs?: number;
}

export interface SigningOptions {
  readonly usages: readonly ('client' | 'server')[];
  readonly ttlMs: number;
}
