import { isIP } from 'node:net';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import { APIServices, EndpointSlices, Services } from '../../client/resource-types.gen.ts';
import { GROUP, VERSION } from './metrics-objects.ts';
import { SERVICE_NAME, SERVICE_NAMESPACE } from './names.ts';

const FIELD_MANAGER = 'k8ts-metrics-server';
const labels = { 'k8s-app': 'metrics-server', 'kubernetes.io/cluster-service': 'true' };

export interface PublishOptions {
  readonly client: Client;
  /** Where the API server reaches this process; a loopback address when they share a machine. */
  readonly address: string;
  readonly port: number;
  /** PEM, of the authority that signed the serving certificate. */
  readonly caBundle: string;
}

/** Tells the API server where `metrics.k8s.io` is served: a Service with one endpoint, and the APIService. */
export async function publish({ client, address, port, caBundle }: PublishOptions): Promise<void> {
  // Endpoints may not have loopback addresses; a Service may name `localhost`.
  const loopback = /^(127\.|::1$)/.test(address);
  const spec = loopback
    ? { type: 'ExternalName', externalName: 'localhost', ports: [{ name: 'https', protocol: 'TCP', port }] }
    : { type: 'ClusterIP', ports: [{ name: 'https', protocol: 'TCP', port: 443, targetPort: port }] };
  await applyService(client, spec);
  if (!loopback) {
    await apply(client, EndpointSlices, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: {
        name: SERVICE_NAME,
        namespace: SERVICE_NAMESPACE,
        labels: {
          ...labels,
          'kubernetes.io/service-name': SERVICE_NAME,
          'endpointslice.kubernetes.io/managed-by': 'metrics-server.k8ts.dev',
        },
      },
      addressType: isIP(address) === 6 ? 'IPv6' : 'IPv4',
      ports: [{ name: 'https', protocol: 'TCP', port }],
      endpoints: [{ addresses: [address], conditions: { ready: true, serving: true, terminating: false } }],
    });
  }
  await apply(client, APIServices, {
    apiVersion: 'apiregistration.k8s.io/v1',
    kind: 'APIService',
    metadata: { name: `${VERSION}.${GROUP}`, labels },
    spec: {
      group: GROUP,
      version: VERSION,
      groupPriorityMinimum: 100,
      versionPriority: 100,
      service: { name: SERVICE_NAME, namespace: SERVICE_NAMESPACE, port: loopback ? port : 443 },
      caBundle: Buffer.from(caBundle).toString('base64'),
    },
  });
}

/** A Service of the other type, from an earlier start, can't be changed into this one in place. */
async function applyService(client: Client, spec: { readonly type: string }): Promise<void> {
  const name = { name: SERVICE_NAME, namespace: SERVICE_NAMESPACE };
  const existing = await client
    .for(Services)
    .get(name)
    .catch((error: unknown) => {
      if (isStatusError(error, 'NotFound')) return undefined;
      throw error;
    });
  if (existing && existing.spec?.type !== spec.type) await client.for(Services).delete(name);
  await apply(client, Services, { apiVersion: 'v1', kind: 'Service', metadata: { ...name, labels }, spec });
}

interface Applied {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly [field: string]: unknown;
}

async function apply(client: Client, type: Parameters<Client['for']>[0], object: Applied): Promise<void> {
  const { name, namespace } = object.metadata;
  await client.for(type).patch({ name, ...(namespace ? { namespace } : {}) }, 'apply', object, {
    fieldManager: FIELD_MANAGER,
    force: true,
  });
}
