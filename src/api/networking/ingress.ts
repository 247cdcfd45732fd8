import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isIP,
  isPortName,
  isPortNumber,
  isWildcardDns1123Subdomain,
} from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn, orNone } from '../columns.ts';
import { defineKind } from '../define.ts';
import { invalidFor } from '../field-checks.ts';
import { ipWarnings } from '../ip-addresses.ts';
import { validateLoadBalancerStatus } from '../load-balancer-status.ts';
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec } from '../types/networking.v1.gen.ts';
import { validateTypedReference } from './typed-reference.ts';

const spec = FieldPath.of('spec');
const classAnnotation = 'kubernetes.io/ingress.class';
const noIp = 'must be a DNS name, not an IP address';

export const ingress = defineKind<Ingress>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'Ingress',
  generation: 'spec',
  validate: (object, old) => validateSpec(object.spec ?? {}, old?.spec),
  // An update may be what brings class and annotation together.
  validateCreate: validateClassAnnotation,
  warnings: ({ metadata, spec }, old) =>
    !old && metadata.annotations?.[classAnnotation] !== undefined && spec?.ingressClassName === undefined
      ? [`annotation ${JSON.stringify(classAnnotation)} is deprecated, please use 'spec.ingressClassName' instead`]
      : [],
  subresources: {
    status: {
      validateUpdate: ({ status }, old) =>
        validateLoadBalancerStatus(status?.loadBalancer?.ingress, old.status?.loadBalancer?.ingress),
      warnings: ({ status }) =>
        (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) =>
          ip ? ipWarnings(FieldPath.of('status', 'loadBalancer', 'ingress').index(index), ip) : [],
        ),
    },
  },
  columns: [
    nameColumn,
    column('Class', ({ spec }) => orNone(spec.ingressClassName), { description: 'IngressClass that implements it' }),
    column('Hosts', ({ spec }) => hosts(spec.rules ?? []), { description: 'Hosts that the rules match' }),
    column('Address', ({ status }) => addresses(status), { description: 'Addresses at which it is reachable' }),
    column('Ports', ({ spec }) => (spec.tls?.length ? '80, 443' : '80'), { description: 'Ports that are open' }),
    ageColumn,
  ],
});

function hosts(rules: readonly IngressRule[]): string {
  const shown: string[] = [];
  let more = false;
  for (const { host } of rules) {
    if (shown.length === 3) more = true;
    else if (host) shown.push(host);
  }
  if (shown.length === 0) return '*';
  return more ? `${shown.join(',')} + ${rules.length - 3} more...` : shown.join(',');
}

function addresses(status: Ingress['status']): string {
  const all = (status?.loadBalancer?.ingress ?? []).map(({ ip, hostname }) => ip || hostname || '');
  return [...new Set(all.filter((address) => address !== ''))].sort().join(',');
}

/** Names of Secrets and rules of wildcard hosts are not looked at where the old ones are wrong already. */
function validateSpec(given: IngressSpec, old: IngressSpec | undefined): FieldError[] {
  const anySecret = (old?.tls ?? []).some(({ secretName }) => secretName && isDns1123Subdomain(secretName).length > 0);
  const anyWildcardRule = (old?.rules ?? []).some(
    (rule) => rule.host?.includes('*') && validatePaths(spec, rule).length > 0,
  );
  const { rules = [], defaultBackend, tls = [], ingressClassName } = given;
  const errors: FieldError[] = [];
  if (rules.length === 0 && !defaultBackend)
    errors.push(invalidValue(spec, rules, 'either `defaultBackend` or `rules` must be specified'));
  if (defaultBackend) errors.push(...validateBackend(spec.child('defaultBackend'), defaultBackend));
  rules.forEach((rule, index) => {
    const path = spec.child('rules').index(index);
    errors.push(...validateHost(path.child('host'), rule.host));
    if (!anyWildcardRule || !rule.host?.includes('*')) errors.push(...validatePaths(path, rule));
  });
  tls.forEach(({ hosts = [], secretName }, index) => {
    const at = spec.child('tls').index(index);
    hosts.forEach((host, i) => {
      errors.push(...invalidFor(at.child('hosts').index(i), host, hostMessages(host)));
    });
    if (secretName && !anySecret)
      errors.push(...invalidFor(at.child('secretName'), secretName, isDns1123Subdomain(secretName)));
  });
  if (ingressClassName !== undefined)
    errors.push(...invalidFor(spec.child('ingressClassName'), ingressClassName, isDns1123Subdomain(ingressClassName)));
  return errors;
}

const hostMessages = (host: string) =>
  host.includes('*') ? isWildcardDns1123Subdomain(host) : isDns1123Subdomain(host);

function validateHost(path: FieldPath, host: string | undefined): FieldError[] {
  if (!host) return [];
  return [
    ...(isIP(host).length === 0 ? [invalidValue(path, host, noIp)] : []),
    ...invalidFor(path, host, hostMessages(host)),
  ];
}

function validatePaths(path: FieldPath, { http }: IngressRule): FieldError[] {
  const errors: FieldError[] = [];
  if (!http) return errors;
  const paths = path.child('http', 'paths');
  if (!http.paths?.length) errors.push(required(paths));
  http.paths?.forEach((given, index) => {
    errors.push(...validatePath(paths.index(index), given));
  });
  return errors;
}

function validatePath(path: FieldPath, given: HTTPIngressPath): FieldError[] {
  const { pathType, path: text = '', backend } = given;
  if (!pathType) return [required(path.child('pathType'), 'pathType must be specified')];
  const at = path.child('path');
  const errors: FieldError[] = [];
  const absolute = text.startsWith('/') ? [] : [invalidValue(at, text, 'must be an absolute path')];
  if (pathType === 'Exact' || pathType === 'Prefix') {
    errors.push(...absolute);
    for (const part of ['//', '/./', '/../', '%2f', '%2F'])
      if (text.includes(part)) errors.push(invalidValue(at, text, `must not contain '${part}'`));
    for (const end of ['/..', '/.'])
      if (text.endsWith(end)) errors.push(invalidValue(at, text, `cannot end with '${end}'`));
  } else if (pathType === 'ImplementationSpecific') {
    if (text !== '') errors.push(...absolute);
  } else errors.push(notSupported(path.child('pathType'), pathType, ['Exact', 'ImplementationSpecific', 'Prefix']));
  return [...errors, ...validateBackend(path.child('backend'), backend ?? {})];
}

function validateBackend(path: FieldPath, { resource, service }: IngressBackend): FieldError[] {
  if (resource && service) return [invalidValue(path, '', 'cannot set both resource and service backends')];
  if (resource) return validateTypedReference(path.child('resource'), resource);
  if (!service) return [invalidValue(path, '', 'resource or service backend is required')];
  const errors = service.name
    ? invalidFor(path.child('service', 'name'), service.name, isDns1123Label(service.name))
    : [required(path.child('service', 'name'))];
  const { name = '', number = 0 } = service.port ?? {};
  const port = path.child('service', 'port');
  if (name !== '' && number !== 0) errors.push(invalidValue(path, '', 'cannot set both port name & port number'));
  else if (name !== '') errors.push(...invalidFor(port.child('name'), name, isPortName(name)));
  else if (number !== 0) errors.push(...invalidFor(port.child('number'), number, isPortNumber(number)));
  else errors.push(required(path, 'port name or number is required'));
  return errors;
}

function validateClassAnnotation({ metadata, spec }: Ingress): FieldError[] {
  const annotation = metadata.annotations?.[classAnnotation];
  if (annotation === undefined || spec?.ingressClassName === undefined || annotation === spec.ingressClassName)
    return [];
  return [
    invalidValue(
      FieldPath.of('annotations', classAnnotation),
      annotation,
      'must match `ingressClassName` when both are specified',
    ),
  ];
}
