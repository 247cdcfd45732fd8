import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import {
  isCIDR,
  isDns1123Label,
  isDns1123Subdomain,
  isIP,
  isPortName,
  isPortNumber,
  isQualifiedName,
} from '../../apimachinery/names.ts';
import { immutableMessage, optionalOneOf, requiredOneOf } from '../field-checks.ts';
import type { Service, ServicePort, ServiceSpec } from '../types/core.v1.gen.ts';
import { hasHealthCheckPort } from './service-update.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
const KUBELET_PORT = 10250;

const spec = FieldPath.of('spec');
const isHeadless = (service: ServiceSpec) => service.clusterIP === 'None' || service.clusterIPs?.[0] === 'None';

export function validateService({ spec: service }: Service): FieldError[] {
  if (!service) return [required(spec)];
  return [
    ...validateType(service),
    ...validatePorts(service),
    ...validateLabels(service.selector, spec.child('selector')),
    ...validateSessionAffinity(service),
    ...validateAddresses(service),
    ...validateLoadBalancer(service),
    ...validateTraffic(service),
  ];
}

function validateType(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const type = service.type ?? '';
  if (!service.ports?.length && !isHeadless(service) && type !== 'ExternalName')
    errors.push(required(spec.child('ports')));
  switch (type) {
    case 'LoadBalancer':
    case 'NodePort':
      if (type === 'LoadBalancer')
        (service.ports ?? []).forEach(({ port }, index) => {
          if (port === KUBELET_PORT)
            errors.push(
              invalidValue(
                spec.child('ports').index(index),
                port,
                `may not expose port ${KUBELET_PORT} externally since it is used by kubelet`,
              ),
            );
        });
      if (isHeadless(service))
        errors.push(
          invalidValue(spec.child('clusterIPs').index(0), 'None', `may not be set to 'None' for ${type} services`),
        );
      break;
    case 'ExternalName':
      if (service.clusterIPs?.length || service.clusterIP)
        errors.push(forbiddenField(spec.child('clusterIPs'), 'may not be set for ExternalName services'));
      if (service.externalName) {
        const name = service.externalName.replace(/\.$/, '');
        for (const message of isDns1123Subdomain(name))
          errors.push(invalidValue(spec.child('externalName'), name, message));
      } else errors.push(required(spec.child('externalName')));
      break;
  }
  return [...errors, ...requiredOneOf(spec.child('type'), type, types)];
}

function validatePorts(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const names = new Set<string>();
  const nodePorts = new Set<string>();
  const numbers = new Set<string>();
  const ports = service.ports ?? [];
  ports.forEach((port, index) => {
    const at = spec.child('ports').index(index);
    errors.push(...validatePort(port, at, ports.length > 1, names));
    const { protocol = '', nodePort } = port;
    if (nodePort) {
      if (service.type === 'ClusterIP')
        errors.push(forbiddenField(at.child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
      const claim = `${protocol}/${nodePort}`;
      if (nodePorts.has(claim)) errors.push(duplicate(at.child('nodePort'), nodePort));
      nodePorts.add(claim);
    }
    const key = `${protocol}/${port.port}`;
    if (numbers.has(key))
      errors.push(
        duplicate(at, { Name: '', Protocol: protocol, AppProtocol: null, Port: port.port, TargetPort: 0, NodePort: 0 }),
      );
    numbers.add(key);
  });
  return errors;
}

function validatePort(port: ServicePort, path: FieldPath, needsName: boolean, names: Set<string>): FieldError[] {
  const errors: FieldError[] = [];
  if (!port.name) {
    if (needsName) errors.push(required(path.child('name')));
  } else {
    for (const message of isDns1123Label(port.name)) errors.push(invalidValue(path.child('name'), port.name, message));
    if (names.has(port.name)) errors.push(duplicate(path.child('name'), port.name));
    names.add(port.name);
  }
  for (const message of isPortNumber(port.port)) errors.push(invalidValue(path.child('port'), port.port, message));
  errors.push(...requiredOneOf(path.child('protocol'), port.protocol, protocols));
  const target = port.targetPort;
  const messages = typeof target === 'string' ? isPortName(target) : target === undefined ? [] : isPortNumber(target);
  for (const message of messages) errors.push(invalidValue(path.child('targetPort'), target, message));
  if (port.appProtocol !== undefined)
    for (const message of isQualifiedName(port.appProtocol))
      errors.push(invalidValue(path.child('appProtocol'), port.appProtocol, message));
  return errors;
}

const MAX_AFFINITY_SECONDS = 86400;

function validateSessionAffinity(service: ServiceSpec): FieldError[] {
  const errors = requiredOneOf(spec.child('sessionAffinity'), service.sessionAffinity, ['ClientIP', 'None']);
  const path = spec.child('sessionAffinityConfig');
  const config = service.sessionAffinityConfig;
  if (service.sessionAffinity === 'None' && config)
    errors.push(forbiddenField(path, 'must not be set when session affinity is None'));
  if (service.sessionAffinity !== 'ClientIP') return errors;
  const seconds = config?.clientIP?.timeoutSeconds;
  const at = path.child('clientIP', 'timeoutSeconds');
  if (seconds === undefined) errors.push(required(path, 'when session affinity type is ClientIP'));
  else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS)
    errors.push(invalidValue(at, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`));
  return errors;
}

function validateAddresses(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { clusterIP = '', clusterIPs = [], ipFamilies = [] } = service;
  if (clusterIPs.length > 0) {
    if (clusterIPs[0] !== clusterIP)
      errors.push(invalidValue(spec.child('clusterIPs'), clusterIPs, 'first value must match `clusterIP`'));
  }
  const path = spec.child('clusterIPs');
  const addresses = clusterIPs.length > 0 ? clusterIPs : clusterIP ? [clusterIP] : [];
  if (service.type !== 'ExternalName') {
    addresses.forEach((address, index) => {
      if (index === 0 && address === 'None') {
        if (addresses.length > 1) errors.push(invalidValue(path, addresses, "'None' must be the first and only value"));
        return;
      }
      for (const message of isIP(address)) errors.push(invalidValue(path.index(index), address, message));
    });
    if (addresses.length > 2) errors.push(invalidValue(path, addresses, 'may only hold up to 2 values'));
  }
  ipFamilies.forEach((family, index) => {
    if (family !== 'IPv4' && family !== 'IPv6')
      errors.push(notSupported(spec.child('ipFamilies').index(index), family, ['IPv4', 'IPv6']));
    if (ipFamilies.indexOf(family) !== index) errors.push(duplicate(spec.child('ipFamilies').index(index), family));
  });
  errors.push(
    ...optionalOneOf(spec.child('ipFamilyPolicy'), service.ipFamilyPolicy, [
      'PreferDualStack',
      'RequireDualStack',
      'SingleStack',
    ]),
  );
  (service.externalIPs ?? []).forEach((address, index) => {
    const at = spec.child('externalIPs').index(index);
    const messages = isIP(address);
    for (const message of messages) errors.push(invalidValue(at, address, message));
    if (messages.length === 0) errors.push(...validateNonSpecialIP(address, at));
  });
  return errors;
}

/** No address that means this host, everybody or nobody. */
export function validateNonSpecialIP(address: string, path: FieldPath): FieldError[] {
  const is = (what: string) => [invalidValue(path, address, what)];
  if (address === '0.0.0.0' || address === '::') return is('may not be unspecified (0.0.0.0 or ::)');
  if (/^127\./.test(address) || address === '::1') return is('may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (/^169\.254\./.test(address) || /^fe[89ab][0-9a-f]:/i.test(address))
    return is('may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  if (/^224\.0\.0\./.test(address) || /^ff02:/i.test(address))
    return is('may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  return [];
}

function validateLoadBalancer(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const isLoadBalancer = service.type === 'LoadBalancer';
  const ranges = service.loadBalancerSourceRanges ?? [];
  const path = spec.child('loadBalancerSourceRanges');
  if (ranges.length > 0 && !isLoadBalancer) errors.push(forbiddenField(path, onlyLoadBalancer));
  ranges.forEach((range, index) => {
    for (const message of isCIDR(range.trim())) errors.push(invalidValue(path.index(index), range, message));
  });
  for (const field of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const)
    if (service[field] !== undefined && !isLoadBalancer)
      errors.push(forbiddenField(spec.child(field), onlyLoadBalancer));
  if (service.loadBalancerClass !== undefined)
    for (const message of isQualifiedName(service.loadBalancerClass))
      errors.push(invalidValue(spec.child('loadBalancerClass'), service.loadBalancerClass, message));
  return errors;
}

function validateTraffic(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { type, externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort, trafficDistribution } = service;
  const external =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && !!service.externalIPs?.length);
  const path = spec.child('externalTrafficPolicy');
  if (!external) {
    if (externalTrafficPolicy)
      errors.push(invalidValue(path, externalTrafficPolicy, 'may only be set for externally-accessible services'));
  } else errors.push(...requiredOneOf(path, externalTrafficPolicy, ['Cluster', 'Local']));
  if (healthCheckNodePort && !(type === 'LoadBalancer' && externalTrafficPolicy === 'Local'))
    errors.push(
      invalidValue(
        spec.child('healthCheckNodePort'),
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  if (type === 'ClusterIP' || type === 'NodePort' || type === 'LoadBalancer')
    errors.push(...requiredOneOf(spec.child('internalTrafficPolicy'), internalTrafficPolicy, ['Cluster', 'Local']));
  errors.push(
    ...optionalOneOf(spec.child('trafficDistribution'), trafficDistribution, [
      'PreferClose',
      'PreferSameNode',
      'PreferSameZone',
    ]),
  );
  return errors;
}

export function validateServiceUpdate(service: Service, old: Service): FieldError[] {
  const errors: FieldError[] = [];
  const changed = 'may not change once set';
  if (service.spec.type !== 'ExternalName' && old.spec.type !== 'ExternalName') {
    const before = old.spec.clusterIPs?.[0] ?? old.spec.clusterIP;
    const now = service.spec.clusterIPs?.[0] ?? service.spec.clusterIP;
    if (before && now !== before)
      errors.push(invalidValue(spec.child('clusterIPs').index(0), now ? [now] : null, changed));
    const family = old.spec.ipFamilies?.[0];
    if (family && service.spec.ipFamilies?.[0] !== family)
      errors.push(invalidValue(spec.child('ipFamilies').index(0), service.spec.ipFamilies?.[0] ?? '', changed));
  }
  if (
    service.spec.type === 'LoadBalancer' &&
    old.spec.type === 'LoadBalancer' &&
    service.spec.loadBalancerClass !== old.spec.loadBalancerClass
  )
    errors.push(invalidValue(spec.child('loadBalancerClass'), service.spec.loadBalancerClass, changed));
  const { healthCheckNodePort } = service.spec;
  if (
    hasHealthCheckPort(service.spec) &&
    hasHealthCheckPort(old.spec) &&
    (healthCheckNodePort ?? 0) !== (old.spec.healthCheckNodePort ?? 0)
  )
    errors.push(forbiddenField(spec.child('healthCheckNodePort'), immutableMessage));
  return errors;
}
