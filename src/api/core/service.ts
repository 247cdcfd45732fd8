import type { Draft } from '../../apimachinery/json.ts';
import { ageColumn, column, formatLabels, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { Service } from '../types/core.v1.gen.ts';
import { validateServiceStatusUpdate } from './service-status.ts';
import { carryOverAllocations } from './service-update.ts';
import { validateService } from './service-validation.ts';
import { serviceStatusWarnings, serviceWarnings } from './service-warnings.ts';

export const service = defineKind<Service>({
  group: '',
  version: 'v1',
  kind: 'Service',
  nameFormat: 'dns1123Label',
  createOnUpdate: true,
  default: defaultService,
  prepareForCreate(service) {
    service.status = { loadBalancer: {} };
    const { spec } = service;
    if (spec?.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  },
  prepareForUpdate(service, old) {
    carryOverAllocations(service, old);
  },
  validate: validateService,
  warnings: serviceWarnings,
  subresources: { status: { validateUpdate: validateServiceStatusUpdate, warnings: serviceStatusWarnings } },
  columns: [
    nameColumn,
    column('Type', (service) => service.spec.type ?? '', { description: 'How the service is exposed' }),
    column('Cluster-IP', (service) => service.spec.clusterIPs?.[0] || service.spec.clusterIP || '<none>', {
      description: 'Virtual address of the service',
    }),
    column('External-IP', externalIP, { description: 'Addresses outside of the cluster' }),
    column('Port(s)', ports, { description: 'Ports of the service, with their node ports' }),
    ageColumn,
    column('Selector', (service) => formatLabels(service.spec.selector), {
      wide: true,
      description: 'Labels of the pods behind the service',
    }),
  ],
  selectableFields: {
    'spec.clusterIP': (service) => service.spec.clusterIP ?? '',
    'spec.type': (service) => service.spec.type ?? '',
  },
});

/** Services that something outside of the cluster reaches directly. */
export const isExternallyAccessible = ({ spec }: Pick<Service, 'spec'>) =>
  spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && !!spec.externalIPs?.length);

const DEFAULT_AFFINITY_SECONDS = 10800;

function defaultService({ spec, status }: Draft<Service>): void {
  if (!spec) return;
  spec.sessionAffinity ||= 'None';
  if (spec.sessionAffinity === 'None') delete spec.sessionAffinityConfig;
  if (spec.sessionAffinity === 'ClientIP') {
    if (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds === undefined)
      spec.sessionAffinityConfig = { clientIP: { timeoutSeconds: DEFAULT_AFFINITY_SECONDS } };
  }
  spec.type ||= 'ClusterIP';
  for (const port of spec.ports ?? []) {
    port.protocol ||= 'TCP';
    port.targetPort ||= port.port;
    if (!port.nodePort) delete port.nodePort;
  }
  if (isExternallyAccessible({ spec })) spec.externalTrafficPolicy ||= 'Cluster';
  if (spec.type === 'ClusterIP' || spec.type === 'NodePort' || spec.type === 'LoadBalancer')
    spec.internalTrafficPolicy ||= 'Cluster';
  if (spec.type === 'LoadBalancer') {
    spec.allocateLoadBalancerNodePorts ??= true;
    for (const point of status?.loadBalancer?.ingress ?? []) if (point.ip) point.ipMode ??= 'VIP';
  }
  if (!spec.publishNotReadyAddresses) delete spec.publishNotReadyAddresses;
}

function externalIP({ spec, status }: Service): string {
  const own = spec.externalIPs ?? [];
  switch (spec.type) {
    case 'ClusterIP':
    case 'NodePort':
      return own.length > 0 ? own.join(',') : '<none>';
    case 'LoadBalancer': {
      const assigned = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
      const all = [...[...new Set(assigned.filter(Boolean))].sort(), ...own];
      return all.length > 0 ? all.join(',') : '<pending>';
    }
    case 'ExternalName':
      return spec.externalName ?? '';
    default:
      return '<unknown>';
  }
}

function ports({ spec }: Service): string {
  const texts = (spec.ports ?? []).map(({ port, nodePort, protocol }) =>
    nodePort ? `${port}:${nodePort}/${protocol}` : `${port}/${protocol}`,
  );
  return texts.length > 0 ? texts.join(',') : '<none>';
}
