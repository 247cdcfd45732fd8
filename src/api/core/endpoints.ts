import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain, isIP, isPortNumber, isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { requiredOneOf } from '../field-checks.ts';
import type { EndpointAddress, EndpointPort, EndpointSubset, Endpoints } from '../types/core.v1.gen.ts';
import { validateNonSpecialIP } from './service-validation.ts';

const SHOWN = 3;

export const endpoints = defineKind<Endpoints>({
  group: '',
  version: 'v1',
  kind: 'Endpoints',
  createOnUpdate: true,
  default(endpoints) {
    for (const subset of endpoints.subsets ?? []) for (const port of subset.ports ?? []) port.protocol ||= 'TCP';
  },
  validate(endpoints) {
    return (endpoints.subsets ?? []).flatMap((subset, index) =>
      validateSubset(subset, FieldPath.of('subsets').index(index)),
    );
  },
  warnings: () => ['v1 Endpoints is deprecated in v1.33+; use discovery.k8s.io/v1 EndpointSlice'],
  columns: [
    nameColumn,
    column('Endpoints', formatEndpoints, { description: 'Addresses and ports that are ready' }),
    ageColumn,
  ],
});

/** The first three `ip:port`, and how many more there are. */
function formatEndpoints({ subsets }: Endpoints): string {
  const shown: string[] = [];
  let count = 0;
  const add = (text: string) => {
    if (count++ < SHOWN) shown.push(text);
  };
  for (const { addresses = [], ports = [] } of subsets ?? []) {
    if (ports.length === 0) for (const { ip } of addresses) add(hostPort(ip, undefined));
    for (const { port } of ports) for (const { ip } of addresses) add(hostPort(ip, port));
  }
  if (count === 0) return '<none>';
  return count > SHOWN ? `${shown.join(',')} + ${count - SHOWN} more...` : shown.join(',');
}

function hostPort(ip: string, port: number | undefined): string {
  if (port === undefined) return ip;
  return ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`;
}

function validateSubset(subset: EndpointSubset, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  const { addresses = [], notReadyAddresses = [], ports = [] } = subset;
  if (addresses.length === 0 && notReadyAddresses.length === 0)
    errors.push(required(path, 'must specify `addresses` or `notReadyAddresses`'));
  addresses.forEach((address, index) => {
    errors.push(...validateAddress(address, path.child('addresses').index(index)));
  });
  notReadyAddresses.forEach((address, index) => {
    errors.push(...validateAddress(address, path.child('notReadyAddresses').index(index)));
  });
  ports.forEach((port, index) => {
    errors.push(...validatePort(port, path.child('ports').index(index), ports.length > 1));
  });
  return errors;
}

function validateAddress(address: EndpointAddress, path: FieldPath): FieldError[] {
  const ip = address.ip ?? '';
  const errors = isIP(ip).map((message) => invalidValue(path.child('ip'), ip, message));
  if (address.hostname)
    for (const message of isDns1123Label(address.hostname))
      errors.push(invalidValue(path.child('hostname'), address.hostname, message));
  if (address.nodeName)
    for (const message of isDns1123Subdomain(address.nodeName))
      errors.push(invalidValue(path.child('nodeName'), address.nodeName, message));
  if (errors.length === 0) errors.push(...validateNonSpecialIP(ip, path.child('ip')));
  return errors;
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
