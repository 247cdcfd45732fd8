import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain, isPortNumber, isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor, requiredOneOf, semanticEqual } from '../field-checks.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../types/core.v1.gen.ts';
import { addressWarnings } from './address-warnings.ts';
import { validateEndpointIP, validateLegacyIP } from './legacy-addresses.ts';

const SHOWN = 3;

export const endpoints = defineKind<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  createOnUpdate: true,
  default(endpoints) {
    for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  validate: validateSubsets,
  warnings: endpointsWarnings,
  columns: [
    nameColumn,
    column('Endpoints', formatEndpoints, { description: 'Addresses and ports that are ready' }),
    ageColumn,
  ],
});

/** The endpoints controller writes addresses as they should be. */
function endpointsWarnings({ metadata, subsets = [] }: Endpoints): string[] {
  if (metadata.labels?.['endpoints.kubernetes.io/managed-by'] === 'endpoint-controller') return [];
  return subsets.flatMap((subset, index) =>
    (['addresses', 'notReadyAddresses'] as const).flatMap((list) =>
      (subset[list] ?? []).flatMap(({ ip = '' }, i) =>
        addressWarnings(FieldPath.of('subsets').index(index).child(list).index(i).child('ip'), ip),
      ),
    ),
  );
}

/** The first three `ip:port`, and how many more there are. */
function formatEndpoints({ subsets = [] }: Endpoints): string {
  if (subsets.length === 0) return '<none>';
  const shown: string[] = [];
  let count = 0;
  const add = (text: string) => {
    if (count++ < SHOWN) shown.push(text);
  };
  for (const { addresses = [], ports = [] } of subsets) {
    if (ports.length === 0) for (const { ip } of addresses) add(hostPort(ip, undefined));
    for (const { port } of ports) for (const { ip } of addresses) add(hostPort(ip, port));
  }
  return count > SHOWN ? `${shown.join(',')} + ${count - SHOWN} more...` : shown.join(',');
}

function hostPort(ip: string, port: number | undefined): string {
  if (port === undefined) return ip;
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function validateSubset(subset: EndpointSubset, path: FieldPath, kept: readonly string[]): FieldError[] {
  const errors: FieldError[] = [];
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0)
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  addresses.forEach((address, index) => {
    errors.push(...validateAddress(address, path.child('addresses').index(index), kept));
  });
  notReadyAddresses.forEach((address, index) => {
    errors.push(...validateAddress(address, path.child('notReadyAddresses').index(index), kept));
  });
  ports.forEach((port, index) => {
    errors.push(...validatePort(port, path.child('ports').index(index), ports.length > 1));
  });
  return errors;
}

function validateAddress(address: EndpointAddress, path: FieldPath, kept: readonly string[]): FieldError[] {
  const { ip = '', hostname, nodeName } = address;
  return [
    ...validateLegacyIP(path.child('ip'), ip, kept),
    ...(hostname ? invalidFor(path.child('hostname'), hostname, isDns1123Label(hostname)) : []),
    ...(nodeName !== undefined ? invalidFor(path.child('nodeName'), nodeName, isDns1123Subdomain(nodeName)) : []),
    ...validateEndpointIP(ip, path.child('ip')),
  ];
}

/** Addresses that are there already may stay what they are. */
function validateSubsets({ subsets = [] }: Endpoints, old: Endpoints | undefined): FieldError[] {
  if (old && semanticEqual(subsets, old.subsets)) return [];
  const kept = (old?.subsets ?? []).flatMap(({ addresses = [], notReadyAddresses = [] }) =>
    [...addresses, ...notReadyAddresses].map(({ ip }) => ip),
  );
  return subsets.flatMap((subset, index) => validateSubset(subset, FieldPath.of('subsets').index(index), kept));
}

function validatePort(port: EndpointPort, path: FieldPath, needsName: boolean): FieldError[] {
  const errors: FieldError[] = [];
  if (!port.name) {
    if (needsName) errors.push(required(path.child('name')));
  } else
    for (const message of isDns1123Label(port.name)) errors.push(invalidValue(path.child('name'), port.name, message));
  for (const message of isPortNumber(port.port)) errors.push(invalidValue(path.child('port'), port.port, message));
  errors.push(...requiredOneOf(path.child('protocol'), port.protocol, ['SCTP', 'TCP', 'UDP']));
  if (port.appProtocol !== undefined)
    for (const message of isQualifiedName(port.appProtocol))
      errors.push(invalidValue(path.child('appProtocol'), port.appProtocol, message));
  return errors;
}
