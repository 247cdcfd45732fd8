import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../apimachinery/field.ts';
import { validateLabelName } from '../../apimachinery/labels.ts';
import { isCIDR, isLabelValue } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define.ts';
import { requiredOneOf, semanticEqual } from '../field-checks.ts';
import type { Node, Taint } from '../types/core.v1.gen.ts';
import { roundResourceList, validateResourceAmount, validateResourceName } from './pod-spec/resources.ts';
import { taintEffects } from './pod-spec/scheduling.ts';

const rolePrefix = 'node-role.kubernetes.io/';
const spec = FieldPath.of('spec');

export const node = defineKind<Node>({
  group: '',
  version: 'v1',
  kind: 'Node',
  default(node) {
    const { status } = node;
    node.spec ??= {};
    if (!node.spec.unschedulable) delete node.spec.unschedulable;
    if (!status?.capacity) return;
    roundResourceList(status.capacity);
    status.allocatable ??= { ...status.capacity };
    roundResourceList(status.allocatable);
  },
  validate: validateNode,
  validateUpdate: validateNodeUpdate,
  subresources: { status: { validateUpdate: (node) => validateNodeStatus(node) } },
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

function validateNode(node: Node): FieldError[] {
  const errors = validateTaints(node.spec?.taints, spec.child('taints'));
  const ranges = node.spec?.podCIDRs ?? [];
  ranges.forEach((range, index) => {
    for (const message of isCIDR(range)) errors.push(invalidValue(spec.child('podCIDRs').index(index), range, message));
  });
  if (ranges.length > 2)
    errors.push(invalidValue(spec.child('podCIDRs'), ranges, 'may specify no more than one CIDR for each IP family'));
  return errors;
}

export function validateTaints(taints: readonly Taint[] | undefined, path: FieldPath): FieldError[] {
  const seen = new Set<string>();
  return (taints ?? []).flatMap((taint, index) => {
    const at = path.index(index);
    const errors = taint.key ? validateLabelName(taint.key, at.child('key')) : [required(at.child('key'))];
    for (const message of isLabelValue(taint.value ?? ''))
      errors.push(invalidValue(at.child('value'), taint.value, message));
    errors.push(...requiredOneOf(at.child('effect'), taint.effect, taintEffects));
    const pair = `${taint.effect}/${taint.key}`;
    if (seen.has(pair)) errors.push(duplicate(at, taint));
    seen.add(pair);
    return errors;
  });
}

function validateNodeUpdate(node: Node, old: Node): FieldError[] {
  const errors: FieldError[] = [];
  const before = old.spec?.podCIDRs ?? [];
  if (before.length > 0 && !semanticEqual(node.spec?.podCIDRs, before))
    errors.push(forbiddenField(spec.child('podCIDRs'), 'node updates may not change podCIDR except from "" to valid'));
  if (old.spec?.providerID && old.spec.providerID !== node.spec?.providerID)
    errors.push(
      forbiddenField(spec.child('providerID'), 'node updates may not change providerID except from "" to valid'),
    );
  if (node.spec?.configSource)
    errors.push(
      forbiddenField(
        spec.child('configSource'),
        'configSource may not be set. The support for DynamicKubeletConfig was removed in v1.24',
      ),
    );
  return errors;
}

function validateNodeStatus(node: Node): FieldError[] {
  const path = FieldPath.of('status');
  const errors: FieldError[] = [];
  for (const list of ['capacity', 'allocatable'] as const) {
    for (const [name, amount] of Object.entries(node.status?.[list] ?? {})) {
      const at = path.child(list).key(name);
      errors.push(...validateResourceName(name, at), ...validateResourceAmount(name, amount, at));
    }
  }
  const addresses = new Set<string>();
  (node.status?.addresses ?? []).forEach((item, index) => {
    const key = `${item.type}/${item.address}`;
    if (addresses.has(key)) errors.push(duplicate(path.child('addresses').index(index), item));
    addresses.add(key);
  });
  return errors;
}
