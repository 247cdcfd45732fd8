import type { Transport } from '../../apimachinery/transport.ts';
import { ensure, ensureFields } from './ensure-objects.ts';

/** Something that must be there before the server is ready. */
export interface BootstrapStep {
  /** Shown by `/readyz?verbose` as `poststarthook/NAME`. */
  readonly name: string;
  /** `transport` may do everything. Repeatable: it runs at every start. */
  run(transport: Transport): Promise<void>;
}

export const SYSTEM_NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease'] as const;

export const systemNamespaces: BootstrapStep = {
  name: 'start-system-namespaces-controller',
  async run(transport) {
    for (const name of SYSTEM_NAMESPACES)
      await ensure(transport, '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  },
};

export const systemPriorityClasses: BootstrapStep = {
  name: 'scheduling/bootstrap-system-priority-classes',
  async run(transport) {
    const classes = [
      {
        name: 'system-node-critical',
        value: 2_000_001_000,
        description: 'Used for system critical pods that must not be moved from their current node.',
      },
      {
        name: 'system-cluster-critical',
        value: 2_000_000_000,
        description:
          'Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.',
      },
    ];
    for (const { name, value, description } of classes)
      await ensure(transport, '/apis/scheduling.k8s.io/v1/priorityclasses', {
        apiVersion: 'scheduling.k8s.io/v1',
        kind: 'PriorityClass',
        metadata: { name },
        value,
        description,
      });
  },
};

/** The ServiceCIDR of the ranges that the server was started with. */
export function defaultServiceCidr(cidrs: readonly string[]): BootstrapStep {
  return {
    name: 'start-kubernetes-service-cidr-controller',
    run: (transport) =>
      ensure(transport, '/apis/networking.k8s.io/v1/servicecidrs', {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'ServiceCIDR',
        metadata: { name: 'kubernetes' },
        spec: { cidrs },
      }),
  };
}

export interface KubernetesServiceOptions {
  readonly clusterIP: string;
  /** Where this server is reached, by pods too. */
  readonly address: string;
  readonly port: number;
}

/** The `kubernetes` Service in the default namespace, which pods find this server by. */
export function kubernetesService({ clusterIP, address, port }: KubernetesServiceOptions): BootstrapStep {
  const metadata = { name: 'kubernetes', namespace: 'default' };
  const addressType = address.includes(':') ? 'IPv6' : 'IPv4';
  const ports = [{ name: 'https', port, protocol: 'TCP' }];
  return {
    name: 'start-kubernetes-service-controller',
    async run(transport) {
      await ensure(transport, '/api/v1/namespaces/default/services', {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { ...metadata, labels: { component: 'apiserver', provider: 'kubernetes' } },
        spec: {
          clusterIP,
          type: 'ClusterIP',
          ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: port }],
        },
      });
      // Endpoints may not be on loopback: a server that nobody else reaches has a Service without any.
      if (address === '::1' || address.startsWith('127.')) return;
      const endpoints = {
        apiVersion: 'v1',
        kind: 'Endpoints',
        metadata: { ...metadata, labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
      };
      await ensureFields(transport, '/api/v1/namespaces/default/endpoints', endpoints, {
        subsets: [{ addresses: [{ ip: address }], ports }],
      });
      const slice = {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { ...metadata, labels: { 'kubernetes.io/service-name': 'kubernetes' } },
        addressType,
      };
      await ensureFields(transport, '/apis/discovery.k8s.io/v1/namespaces/default/endpointslices', slice, {
        endpoints: [{ addresses: [address], conditions: { ready: true } }],
        ports,
      });
    },
  };
}
