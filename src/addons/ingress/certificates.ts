import { createSecureContext, type SecureContext } from 'node:tls';
import type { Secret } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Informer } from '../../client/informer.ts';

/** TLS contexts made from Secrets of type kubernetes.io/tls, kept until the Secret changes. */
export class CertificateStore {
  readonly #secrets: Informer<Secret>;
  readonly #default: SecureContext;
  readonly #logger: Logger;
  readonly #contexts = new Map<string, { version: string; context: SecureContext }>();

  constructor(
    secrets: Informer<Secret>,
    defaultCertificate: { readonly cert: string; readonly key: string },
    logger: Logger,
  ) {
    this.#secrets = secrets;
    this.#default = createSecureContext(defaultCertificate);
    this.#logger = logger;
    secrets.addHandler({
      onDelete: (secret) => this.#contexts.delete(`${secret.metadata.namespace}/${secret.metadata.name}`),
    });
  }

  /** The context of a secret (`namespace/name`); the default one when it is missing or broken. */
  contextFor(key: string | undefined): SecureContext {
    const secret = key === undefined ? undefined : this.#secrets.get(key);
    if (key === undefined || !secret) return this.#default;
    const version = secret.metadata.resourceVersion ?? '';
    const known = this.#contexts.get(key);
    if (known?.version === version) return known.context;
    try {
      const decode = (field: string) => Buffer.from(secret.data?.[field] ?? '', 'base64');
      const context = createSecureContext({ cert: decode('tls.crt'), key: decode('tls.key') });
      this.#contexts.set(key, { version, context });
      return context;
    } catch (error) {
      this.#logger.warn({ err: error, secret: key }, 'a TLS secret holds no usable certificate and key');
      return this.#default;
    }
  }
}
