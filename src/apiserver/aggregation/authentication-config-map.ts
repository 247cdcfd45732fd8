import { X509Certificate } from 'node:crypto';
import type { ConfigMap } from '../../api/types/core.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { BootstrapStep } from '../bootstrap/bootstrap-objects.ts';
import { EXTRA_PREFIX, GROUP_HEADER, UID_HEADER, USER_HEADER } from './identity-headers.ts';

export interface ExtensionAuthenticationOptions {
  /** PEM certificates of the authorities of users' certificates; read at every run. */
  readonly clientCAs: () => readonly string[];
  /** Of the front proxy's certificate, and the common names it may have. */
  readonly frontProxy: { readonly cas: () => readonly string[]; readonly allowedNames: readonly string[] };
}

const NAMESPACE = 'kube-system';
const NAME = 'extension-apiserver-authentication';
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/**
 * Publishes whom extension API servers may believe: they read this ConfigMap. Authorities that are there already stay until
 * they expire, for other servers of the cluster may use them.
 */
export function extensionAuthentication({ clientCAs, frontProxy }: ExtensionAuthenticationOptions): BootstrapStep {
  const collection = `/api/v1/namespaces/${NAMESPACE}/configmaps`;
  const dataFor = (known: Readonly<Record<string, string>>) => ({
    'client-ca-file': bundle(known['client-ca-file'], clientCAs()),
    'requestheader-client-ca-file': bundle(known['requestheader-client-ca-file'], frontProxy.cas()),
    'requestheader-allowed-names': JSON.stringify(frontProxy.allowedNames),
    'requestheader-username-headers': JSON.stringify([USER_HEADER]),
    'requestheader-uid-headers': JSON.stringify([UID_HEADER]),
    'requestheader-group-headers': JSON.stringify([GROUP_HEADER]),
    'requestheader-extra-headers-prefix': JSON.stringify([EXTRA_PREFIX]),
  });
  return {
    name: 'start-cluster-authentication-info-controller',
    async run(transport) {
      const metadata = { name: NAME, namespace: NAMESPACE };
      const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: dataFor({}) };
      try {
        await transport.request({ method: 'POST', path: collection, body: object });
      } catch (error) {
        if (!isStatusError(error, 'AlreadyExists')) throw error;
        const path = `${collection}/${NAME}`;
        const { body } = await transport.request<ConfigMap>({ method: 'GET', path });
        const data = { ...body.data, ...dataFor(body.data ?? {}) };
        if (!deepEqual(data, body.data)) await transport.request({ method: 'PUT', path, body: { ...body, data } });
      }
    },
  };
}

function bundle(known: string | undefined, added: readonly string[]): string {
  const certificates = new Set<string>();
  for (const text of [...added, known ?? ''])
    for (const [certificate] of text.matchAll(CERTIFICATE)) if (isValid(certificate)) certificates.add(certificate);
  return [...certificates].map((certificate) => `${certificate}\n`).join('');
}

function isValid(certificate: string): boolean {
  try {
    return Date.parse(new X509Certificate(certificate).validTo) > Date.now();
  } catch {
    return false;
  }
}
