import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isCIDR, isPortName, isPortNumber } from '../../apimachinery/names.ts';
import { ageColumn, column, formatLabelSelector, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor, optionalOneOf } from '../field-checks.ts';
import { networkOf } from '../ip-addresses.ts';
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
  validate: (object) => validateSpec(object.spec ?? {}),
  columns: [
    nameColumn,
    column('Pod-Selector', ({ spec }) => formatLabelSelector(spec.podSelector), {
      description: 'Label selector of the pods that the policy applies to',
    }),
    ageColumn,
  ],
});

function validateSpec(policy: NetworkPolicySpec): FieldError[] {
  const { podSelector, ingress = [], egress = [], policyTypes = [] } = policy;
  const errors = validateLabelSelector(podSelector, spec.child('podSelector'));
  ingress.forEach(({ ports = [], from = [] }, index) => {
    errors.push(...validateRule(spec.child('ingress').index(index), ports, 'from', from));
  });
  egress.forEach(({ ports = [], to = [] }, index) => {
    errors.push(...validateRule(spec.child('egress').index(index), ports, 'to', to));
  });
  const types = spec.child('policyTypes');
  if (policyTypes.length > 2)
    return [...errors, invalidValue(types, policyTypes, 'may not specify more than two policyTypes')];
  policyTypes.forEach((type, index) => {
    errors.push(...optionalOneOf(types.index(index), type, ['Ingress', 'Egress']));
  });
  return errors;
}

function validateRule(
  path: FieldPath,
  ports: readonly NetworkPolicyPort[],
  peersField: 'from' | 'to',
  peers: readonly NetworkPolicyPeer[],
): FieldError[] {
  return [
    ...ports.flatMap((port, index) => validatePort(path.child('ports').index(index), port)),
    ...peers.flatMap((peer, index) => validatePeer(path.child(peersField).index(index), peer)),
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

function validatePeer(path: FieldPath, { podSelector, namespaceSelector, ipBlock }: NetworkPolicyPeer): FieldError[] {
  const errors = [
    ...validateLabelSelector(podSelector, path.child('podSelector')),
    ...validateLabelSelector(namespaceSelector, path.child('namespaceSelector')),
    ...(ipBlock ? validateIpBlock(path.child('ipBlock'), ipBlock) : []),
  ];
  if (!podSelector && !namespaceSelector && !ipBlock) errors.push(required(path, 'must specify a peer'));
  else if (ipBlock && (podSelector || namespaceSelector))
    errors.push(forbiddenField(path, 'may not specify both ipBlock and another peer'));
  return errors;
}

function validateIpBlock(path: FieldPath, { cidr, except = [] }: IPBlock): FieldError[] {
  if (!cidr) return [required(path.child('cidr'))];
  const errors = invalidFor(path.child('cidr'), cidr, isCIDR(cidr));
  const whole = networkOf(cidr);
  if (!whole) return errors;
  except.forEach((text, index) => {
    const at = path.child('except').index(index);
    errors.push(...invalidFor(at, text, isCIDR(text)));
    const part = networkOf(text);
    if (part && (!whole.contains(part) || whole.length >= part.length))
      errors.push(invalidValue(at, text, 'must be a strict subset of `cidr`'));
  });
  return errors;
}
