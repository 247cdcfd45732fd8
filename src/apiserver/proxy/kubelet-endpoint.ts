import type { Node } from '../../api/types/core.v1.gen.ts';
import { notFound } from '../../apimachinery/status-error.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { Backend } from './backend.ts';
import { unknownError } from './dial-error.ts';

/** What the server shows kubelets, and what it believes of them; PEM. */
export interface KubeletCredentials {
  readonly cert: string;
  readonly key: string;
  /** Of the kubelets' serving certificates; absent: they are not checked, as kube-apiserver does by default. */
  readonly ca?: string | readonly string[];
}

const PREFERRED_ADDRESSES = ['InternalIP', 'ExternalIP', 'InternalDNS', 'ExternalDNS', 'Hostname'];
const DEFAULT_PORT = 10_250;

/** Where the kubelet of a node listens. Throws NotFound for a node that is not there. */
export async function kubeletOf(
  reader: ObjectReader,
  nodeName: string,
  credentials: KubeletCredentials,
): Promise<Backend> {
  const node = reader.get<Node>('nodes', nodeName) ?? (await reader.fetch<Node>('nodes', nodeName));
  if (!node) throw notFound({ group: '', resource: 'nodes' }, nodeName);
  const addresses = node.status?.addresses ?? [];
  const host = PREFERRED_ADDRESSES.map((type) => addresses.find((address) => address.type === type)?.address).find(
    (address) => address,
  );
  if (!host)
    throw unknownError(
      `no preferred addresses found; known addresses: [${addresses.map(({ type, address }) => `{${type} ${address}}`).join(' ')}]`,
    );
  const { cert, key, ca } = credentials;
  return {
    scheme: 'https',
    host,
    port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || DEFAULT_PORT,
    tls: { cert, key, ...(ca ? { ca: ca as string | string[] } : { rejectUnauthorized: false }) },
  };
}
