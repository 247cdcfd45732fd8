import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isPortName, isPortNumber } from '../../apimachinery/names.ts';
import { ageColumn, column, formatLabelSelector, nameColumn } from '../columns.ts';
import { validateLegacyCIDR } from '../core/legacy-addresses.ts';
import { defineKind } from '../define.ts';
import { invalidFor, optionalOneOf } from '../field-checks.ts';
import { cidrWarnings, networkOf } from '../ip-addresses.ts';
import type {
  IPBlock,
  NetworkPolicy,
  NetworkPolicyPeer,
  NetworkPolicyPort,
  NetworkPolicySpec,
} from '../types/networking.v1.gen.ts';

const spec = FieldPath.of('spec');

export const networkPolicy = defineKind<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  generation: 'spec',
  default: ({ spec }) => {
    if (!spec) return;
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])])
      for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
    if (!spec.policyTypes?.length) spec.policyTypes = spec.egress?.length ? ['Ingress', 'Egress'] : ['Ingress'];
  },
  validate: (object, old) =>
    validateSpec(object.spec ?? {}, {
      ranges: rangesOf(old?.spec),
      anyValue: validateLabelSelector(old?.spec?.podSelector, spec).length > 0,
    }),
  warnings: (object) => warnings(object.spec ?? {}),
  columns: [
    nameColumn,
    column('Pod-Selector', ({ spec }) => formatLabelSelector(spec.podSelector), {
      description: 'Label selector of the pods that the policy applies to',
    }),
    ageColumn,
  ],
});

/** Ranges that a policy has: they stay allowed, whatever new ones must be. */
function rangesOf(policy: NetworkPolicySpec | undefined): string[] {
  const peers = [
    ...(policy?.ingress ?? []).flatMap(({ from }) => from ?? []),
    ...(policy?.egress ?? []).flatMap(({ to }) => to ?? []),
  ];
  return peers.flatMap(({ ipBlock }) => (ipBlock ? [ipBlock.cidr, ...(ipBlock.except ?? [])] : []));
}

/** What an update may keep of what new policies may not have. */
interface Kept {
  readonly ranges: readonly string[];
  /** Selectors may name values that no label can have. */
  readonly anyValue: boolean;
}

function validateSpec(policy: NetworkPolicySpec, kept: Kept): FieldError[] {
  const { podSelector, ingress = [], egress = [], policyTypes = [] } = policy;
  const errors = validateLabelSelector(podSelector, spec.child('podSelector'), kept.anyValue);
  ingress.forEach(({ ports = [], from = [] }, index) => {
    errors.push(...validateRule(spec.child('ingress').index(index), ports, 'from', from, kept));
  });
  egress.forEach(({ ports = [], to = [] }, index) => {
    errors.push(...validateRule(spec.child('egress').index(index), ports, 'to', to, kept));
  });
  const types = spec.child('policyTypes');
  if (policyTypes.length > 2)
    return [...errors, invalidValue(types, policyTypes, 'may not specify more than two policyTypes')];
  policyTypes.forEach((type, index) => {
    errors.push(...optionalOneOf(types.index(index), type, ['Ingress', 'Egress']));
  });
  return errors;
}

/** About ranges that are not written as they should be. */
function warnings({ ingress = [], egress = [] }: NetworkPolicySpec): string[] {
  const of = (path: FieldPath, peers: readonly NetworkPolicyPeer[] = []) =>
    peers.flatMap(({ ipBlock }, index) => {
      const at = path.index(index).child('ipBlock');
      return ipBlock
        ? [
            ...cidrWarnings(at.child('cidr'), ipBlock.cidr),
            ...(ipBlock.except ?? []).flatMap((text, i) => cidrWarnings(at.child('except').index(i), text)),
          ]
        : [];
    });
  return [
    ...ingress.flatMap(({ from }, index) => of(spec.child('ingress').index(index).child('from'), from)),
    ...egress.flatMap(({ to }, index) => of(spec.child('egress').index(index).child('to'), to)),
  ];
}

function validateRule(
  path: FieldPath,
  ports: readonly NetworkPolicyPort[],
  peersField: 'from' | 'to',
  peers: readonly NetworkPolicyPeer[],
  kept: Kept,
): FieldError[] {
  return [
    ...ports.flatMap((port, index) => validatePort(path.child('ports').index(index), port)),
    ...peers.flatMap((peer, index) => validatePeer(path.child(peersField).index(index), peer, kept)),
  ];
}

function validatePort(path: FieldPath, { protocol, port, endPort }: NetworkPolicyPort): FieldError[] {
  const errors = optionalOneOf(path.child('protocol'), protocol, ['TCP', 'UDP', 'SCTP']);
  const end = path.child('endPort');
  if (typeof port === 'number') {
    errors.push(...invalidFor(path.child('port'), port, isPortNumber(port)));
    if (endPort === undefined) return errors;
    if (endPort < port) errors.push(invalidValue(end, port, 'must be greater than or equal to `port`'));
    return [...errors, ...invalidFor(end, endPort, isPortNumber(endPort))];
  }
  if (endPort !== undefined)
    errors.push(
      invalidValue(
        end,
        endPort,
        port === undefined
          ? 'may not be specified when `port` is not specified'
          : 'may not be specified when `port` is non-numeric',
      ),
    );
  if (port !== undefined) errors.push(...invalidFor(path.child('port'), port, isPortName(port)));
  return errors;
}

function validatePeer(
  path: FieldPath,
  { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer,
  kept: Kept,
): FieldError[] {
  const errors = [
    ...validateLabelSelector(podSelector, path.child('podSelector'), kept.anyValue),
    ...validateLabelSelector(namespaceSelector, path.child('namespaceSelector'), kept.anyValue),
    ...(ipBlock ? validateIpBlock(path.child('ipBlock'), ipBlock, kept.ranges) : []),
  ];
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(path, 'must specify a peer'));
  else if (ipBlock && (podSelector || namespaceSelector))
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  return errors;
}

function validateIpBlock(path: FieldPath, { cidr, except = [] }: IPBlock, kept: readonly string[]): FieldError[] {
  if (!cidr) return [required(path.child('cidr'))];
  const errors = validateLegacyCIDR(path.child('cidr'), cidr, kept);
  const whole = networkOf(cidr);
  if (!whole) return errors;
  except.forEach((text, index) => {
    const at = path.child('except').index(index);
    errors.push(...validateLegacyCIDR(at, text, kept));
    const part = networkOf(text);
    if (part && (!whole.contains(part) || whole.length >= part.length))
      errors.push(invalidValue(at, text, 'must be a strict subset of `cidr`'));
  });
  return errors;
}
