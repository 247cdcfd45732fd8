import { FieldPath } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define.ts';
import type { Node } from '../types/core.v1.gen.ts';
import { rangeWarnings } from './address-warnings.ts';
import { validateNode, validateNodeUpdate } from './node-validation.ts';
import { roundResourceList } from './pod-spec/resources.ts';

const rolePrefix = 'node-role.kubernetes.io/';

export const node = defineKind<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  default(node) {
    const { status } = node;
    node.spec ??= {};
    if (!node.spec.unschedulable) delete node.spec.unschedulable;
    const { podCIDR, podCIDRs } = node.spec;
    if (podCIDR && podCIDR !== podCIDRs?.[0]) node.spec.podCIDRs = [podCIDR];
    else if (podCIDRs?.[0]) node.spec.podCIDR = podCIDRs[0];
    if (!status?.capacity) return;
    roundResourceList(status.capacity);
    status.allocatable ??= { ...status.capacity };
    roundResourceList(status.allocatable);
  },
  prepareForCreate(node) {
    delete node.spec?.configSource;
    delete node.status?.config;
  },
  prepareForUpdate(node, old) {
    if (!old.spec?.configSource) delete node.spec?.configSource;
  },
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  warnings: nodeWarnings,
  subresources: {
    status: {
      prepareForUpdate(node, old) {
        if (!old.status?.config) delete node.status?.config;
      },
      validateUpdate: validateNodeUpdate,
    },
  },
  columns: [
    nameColumn,
    column('Status', nodeState, { description: 'Whether the node is ready and takes pods' }),
    column('Roles', roles, { description: 'Roles of the node' }),
    ageColumn,
    column('Version', (node) => node.status?.nodeInfo?.kubeletVersion ?? '', { description: 'Version of the kubelet' }),
    column('Internal-IP', (node) => address(node, 'InternalIP'), { wide: true, description: 'Address in the cluster' }),
    column('External-IP', (node) => address(node, 'ExternalIP'), { wide: true, description: 'Address outside of it' }),
    column('OS-Image', (node) => node.status?.nodeInfo?.osImage || '<unknown>', {
      wide: true,
      description: 'Operating system of the node',
    }),
    column('Kernel-Version', (node) => node.status?.nodeInfo?.kernelVersion || '<unknown>', {
      wide: true,
      description: 'Kernel of the node',
    }),
    column('Container-Runtime', (node) => node.status?.nodeInfo?.containerRuntimeVersion || '<unknown>', {
      wide: true,
      description: 'Container runtime and its version',
    }),
  ],
  selectableFields: { 'spec.unschedulable': (node) => String(node.spec?.unschedulable ?? false) },
});

function nodeWarnings({ spec }: Node): string[] {
  return [
    ...(spec?.configSource ? ['spec.configSource: the feature is removed'] : []),
    ...(spec?.externalID ? ['spec.externalID: this field is deprecated, and is unused by Kubernetes'] : []),
    ...(spec?.podCIDRs ?? []).flatMap((range, index) =>
      rangeWarnings(FieldPath.of('spec', 'podCIDRs').index(index), range),
    ),
  ];
}

function nodeState({ spec, status }: Node): string {
  const ready = status?.conditions?.find(({ type }) => type === 'Ready');
  const state = ready ? (ready.status === 'True' ? 'Ready' : 'NotReady') : 'Unknown';
  return spec?.unschedulable ? `${state},SchedulingDisabled` : state;
}

function roles({ metadata }: Node): string {
  const found = new Set<string>();
  for (const [key, value] of Object.entries(metadata.labels ?? {})) {
    if (key.startsWith(rolePrefix) && key.length > rolePrefix.length) found.add(key.slice(rolePrefix.length));
    else if (key === 'kubernetes.io/role' && value !== '') found.add(value);
  }
  return orNone([...found].sort().join(','));
}

const address = ({ status }: Node, wanted: string) =>
  orNone(status?.addresses?.find(({ type }) => type === wanted)?.address);
