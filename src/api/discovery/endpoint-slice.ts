import { duplicate, type FieldError, FieldPath, invalidValue, required, tooMany } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label, isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { validateEndpointIP, validateLegacyIP } from '../core/legacy-addresses.ts';
import { defineKind } from '../define.ts';
import { validateFullyQualifiedDomainName } from '../domain-names.ts';
import { immutable, invalidFor, requiredOneOf, semanticEqual } from '../field-checks.ts';
import { ipWarnings } from '../ip-addresses.ts';
import type { Endpoint, EndpointPort, EndpointSlice } from '../types/discovery.v1.gen.ts';

const maxEndpoints = 1000;
const maxAddresses = 100;
const maxPorts = 20_000;
const maxHints = 8;
const hostnameLabel = 'kubernetes.io/hostname';
const managedByLabel = 'endpointslice.kubernetes.io/managed-by';
const controllers = ['endpointslice-controller.k8s.io', 'endpointslicemirroring-controller.k8s.io'];

export const endpointSlice = defineKind<EndpointSlice>({
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  generation: 'specAndLabels',
  default: ({ ports }) => {
    for (const port of ports ?? []) {
      port.name ??= '';
      port.protocol ??= 'TCP';
    }
  },
  // v1 knows no topology beyond nodeName and zone; what older versions stored stays until it is replaced.
  prepareForCreate: dropTopology,
  prepareForUpdate: keepUnchangedTopology,
  validate: (object, old) => [
    ...requiredOneOf(FieldPath.of('addressType'), object.addressType, ['FQDN', 'IPv4', 'IPv6']),
    ...validatePorts(object.ports ?? []),
    // Unchanged ones may date from when addresses were not checked as strictly.
    ...(old && semanticEqual(old.endpoints, object.endpoints)
      ? []
      : validateEndpoints(object.endpoints ?? [], object.addressType)),
  ],
  validateUpdate: (object, old) => immutable(FieldPath.of('addressType'), object.addressType, old.addressType),
  warnings,
  columns: [
    nameColumn,
    column('AddressType', (object) => object.addressType, { description: 'Kind of address of the endpoints' }),
    column('Ports', ({ ports }) => atMost3((ports ?? []).map(({ port, name }) => String(port ?? name ?? '*'))), {
      description: 'Ports that every endpoint serves',
    }),
    column('Endpoints', ({ endpoints }) => atMost3((endpoints ?? []).flatMap(({ addresses }) => addresses)), {
      description: 'Addresses of the endpoints',
    }),
    ageColumn,
  ],
});

function dropTopology(object: Draft<EndpointSlice>): void {
  for (const endpoint of object.endpoints ?? []) delete endpoint.deprecatedTopology;
}

/** Endpoints that change lose their topology; the node it names becomes the one of the endpoint that names none. */
function keepUnchangedTopology(object: Draft<EndpointSlice>, old: EndpointSlice): void {
  if (semanticEqual(object.endpoints, old.endpoints)) return;
  const known = new Set((old.endpoints ?? []).map(({ deprecatedTopology }) => deprecatedTopology?.[hostnameLabel]));
  for (const endpoint of object.endpoints ?? []) {
    const node = endpoint.deprecatedTopology?.[hostnameLabel];
    if (node && known.has(node) && isDns1123Subdomain(node).length === 0) endpoint.nodeName ??= node;
  }
  dropTopology(object);
}

function warnings({ addressType, endpoints = [], metadata }: EndpointSlice, old?: EndpointSlice): string[] {
  const deprecated = addressType === 'FQDN' && !old ? ['spec.addressType: FQDN endpoints are deprecated'] : [];
  // Controllers correct what they read before they write it.
  if (controllers.includes(metadata.labels?.[managedByLabel] ?? '')) return deprecated;
  return [
    ...deprecated,
    ...endpoints.flatMap(({ addresses = [] }, index) =>
      addresses.flatMap((address, i) =>
        ipWarnings(FieldPath.of('endpoints').index(index).child('addresses').index(i), address),
      ),
    ),
  ];
}

function atMost3(items: readonly string[]): string {
  if (items.length > 3) return `${items.slice(0, 3).join(',')} + ${items.length - 3} more...`;
  return items.join(',') || '<unset>';
}

function validatePorts(ports: readonly EndpointPort[]): FieldError[] {
  const path = FieldPath.of('ports');
  if (ports.length > maxPorts) return [tooMany(path, ports.length, maxPorts)];
  const errors: FieldError[] = [];
  const names = new Set<string>();
  ports.forEach(({ name = '', protocol, appProtocol }, index) => {
    const at = path.index(index);
    if (name !== '') errors.push(...invalidFor(at.child('name'), name, isDns1123Label(name)));
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    errors.push(...requiredOneOf(at.child('protocol'), protocol, ['SCTP', 'TCP', 'UDP']));
    if (appProtocol !== undefined)
      errors.push(...invalidFor(at.child('appProtocol'), appProtocol, isQualifiedName(appProtocol)));
  });
  return errors;
}

function validateEndpoints(endpoints: readonly Endpoint[], addressType: string): FieldError[] {
  const path = FieldPath.of('endpoints');
  if (endpoints.length > maxEndpoints) return [tooMany(path, endpoints.length, maxEndpoints)];
  return endpoints.flatMap((endpoint, index) => validateEndpoint(path.index(index), endpoint, addressType));
}

function validateEndpoint(path: FieldPath, endpoint: Endpoint, addressType: string): FieldError[] {
  const { addresses = [], nodeName, hostname, hints } = endpoint;
  const errors: FieldError[] = [];
  const addressPath = path.child('addresses');
  if (addresses.length === 0) errors.push(required(addressPath, 'must contain at least 1 address'));
  if (addresses.length > maxAddresses) errors.push(tooMany(addressPath, addresses.length, maxAddresses));
  addresses.forEach((address, index) => {
    const at = addressPath.index(index);
    if (addressType === 'FQDN') errors.push(...validateFullyQualifiedDomainName(at, address));
    else if (addressType === 'IPv4' || addressType === 'IPv6')
      errors.push(...validateAddress(addressPath, index, address, addressType));
  });
  if (nodeName !== undefined)
    errors.push(...invalidFor(path.child('nodeName'), nodeName, isDns1123Subdomain(nodeName)));
  if (Object.keys(endpoint.deprecatedTopology ?? {}).length > 16)
    errors.push(tooMany(path.child('deprecatedTopology'), Object.keys(endpoint.deprecatedTopology ?? {}).length, 16));
  errors.push(...validateLabels(endpoint.deprecatedTopology ?? {}, path.child('deprecatedTopology')));
  if (hostname !== undefined) errors.push(...invalidFor(path.child('hostname'), hostname, isDns1123Label(hostname)));
  return [
    ...errors,
    ...validateHints(path.child('hints', 'forZones'), hints?.forZones ?? [], isLabelValue),
    ...validateHints(path.child('hints', 'forNodes'), hints?.forNodes ?? [], isDns1123Subdomain),
  ];
}

function validateAddress(path: FieldPath, index: number, address: string, family: 'IPv4' | 'IPv6'): FieldError[] {
  const errors = validateLegacyIP(path.index(index), address);
  if (errors.length > 0) return errors;
  const ofFamily = (family === 'IPv6') === address.includes(':');
  return [
    ...(ofFamily ? [] : [invalidValue(path, address, `must be an ${family} address`)]),
    ...validateEndpointIP(address, path.index(index)),
  ];
}

function validateHints(
  path: FieldPath,
  hints: readonly { readonly name: string }[],
  check: (name: string) => string[],
): FieldError[] {
  if (hints.length > maxHints) return [tooMany(path, hints.length, maxHints)];
  const seen = new Set<string>();
  return hints.flatMap(({ name }, index) => {
    const at = path.index(index).child('name');
    const errors = seen.has(name) ? [duplicate(at, name)] : [];
    seen.add(name);
    return [...errors, ...check(name).map((message) => invalidValue(at, name, message))];
  });
}
