import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { EndpointSlices, Nodes, Services } from '../../client/resource-types.gen.ts';
import { ClusterRecords, prepareInformers } from './records.ts';
import { DnsServer } from './server.ts';
import { readNameservers } from './upstream.ts';

export interface DnsAddonOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly logger: Logger;
  /** Where pods reach this host. */
  readonly nodeIP: string;
  /** The ClusterIP of the `kube-dns` Service. */
  readonly clusterDNS: string;
  readonly clusterDomain: string;
  readonly clusterCIDR: string;
  readonly serviceCIDR: string;
}

const NAMESPACE = 'kube-system';
const LABELS = { 'k8s-app': 'kube-dns', 'kubernetes.io/name': 'CoreDNS', 'kubernetes.io/cluster-service': 'true' };

/** Cluster DNS in this process, published as the `kube-dns` Service. `start` resolves when it answers. */
export function createDnsAddon(options: DnsAddonOptions): { start(): Promise<void>; stop(): Promise<void> } {
  const { client, informers, nodeIP } = options;
  const services = informers.informer(Services);
  const slices = informers.informer(EndpointSlices);
  // Pods of other nodes ask under their node's address.
  const nodes = informers.informer(Nodes);
  nodes.addIndex(
    'address',
    ({ status }) => status?.addresses?.filter(({ type }) => type === 'InternalIP').map(({ address }) => address) ?? [],
  );
  prepareInformers({ services, slices });
  let server: DnsServer | undefined;
  return {
    async start() {
      informers.start();
      const upstreams = (await readNameservers()).filter(
        (address) => address !== nodeIP && address !== options.clusterDNS,
      );
      await informers.whenSynced();
      server = new DnsServer({
        records: new ClusterRecords({ services, slices, domain: options.clusterDomain }),
        upstreams,
        // Not all addresses: a UDP answer must leave from the one that was asked, or the Service's rules don't undo it.
        address: nodeIP,
        port: 0,
        isAllowed: (address) => nodes.byIndex('address', address).length > 0,
        allowedRanges: ['127.0.0.0/8', options.clusterCIDR, options.serviceCIDR, `${nodeIP}/32`],
        logger: options.logger,
      });
      await server.start();
      await publish(client, options.clusterDNS, nodeIP, server.port);
    },
    async stop() {
      await server?.stop();
    },
  };
}

/** The Service without selector, and the one endpoint behind it. */
async function publish(client: Client, clusterIP: string, nodeIP: string, port: number): Promise<void> {
  const ports = [
    { name: 'dns', protocol: 'UDP', port: 53, targetPort: port },
    { name: 'dns-tcp', protocol: 'TCP', port: 53, targetPort: port },
  ];
  await client
    .for(Services)
    .create({
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'kube-dns', namespace: NAMESPACE, labels: LABELS },
      spec: { clusterIP, ports },
    })
    .catch(ignoreExisting);
  const endpointSlice = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      name: 'kube-dns',
      namespace: NAMESPACE,
      labels: {
        ...LABELS,
        'kubernetes.io/service-name': 'kube-dns',
        'endpointslice.kubernetes.io/managed-by': 'dns.k8ts.dev',
      },
    },
    addressType: 'IPv4',
    ports: ports.map(({ name, protocol }) => ({ name, protocol, port })),
    endpoints: [{ addresses: [nodeIP], conditions: { ready: true, serving: true, terminating: false } }],
  };
  await client.for(EndpointSlices).patch({ name: 'kube-dns', namespace: NAMESPACE }, 'apply', endpointSlice, {
    fieldManager: 'k8ts-dns',
    force: true,
  });
}

function ignoreExisting(error: unknown): void {
  if (!isStatusError(error, 'AlreadyExists')) throw error;
}
