import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import {
  isDns1123Label,
  isDns1123Subdomain,
  isPortName,
  isPortNumber,
  isQualifiedName,
} from '../../apimachinery/names.ts';
import { absent, immutableMessage, invalidFor, optionalOneOf, requiredOneOf } from '../field-checks.ts';
import type { Service, ServicePort, ServiceSpec } from '../types/core.v1.gen.ts';
import { validateEndpointIP, validateLegacyCIDR, validateLegacyIP } from './legacy-addresses.ts';
import {
  isHeadless,
  validateClusterIPs,
  validateClusterIPsUpdate,
  validateFamiliesUpdate,
  validateTypeAddresses,
} from './service-addresses.ts';
import { hasHealthCheckPort } from './service-update.ts';

const types = ['ClusterIP', 'ExternalName', 'LoadBalancer', 'NodePort'];
const protocols = ['SCTP', 'TCP', 'UDP'];
const distributions = ['PreferClose', 'PreferSameZone', 'PreferSameNode'];
const onlyLoadBalancer = "may only be used when `type` is 'LoadBalancer'";
export const hintsKey = 'service.kubernetes.io/topology-aware-hints';
export const modeKey = 'service.kubernetes.io/topology-mode';
const rangesKey = 'service.beta.kubernetes.io/load-balancer-source-ranges';

const spec = FieldPath.of('spec');
const annotationsPath = FieldPath.of('metadata', 'annotations');
const noSpec: ServiceSpec = {};

/** What an update may not change is told first. */
export function validateService(service: Service, old?: Service): FieldError[] {
  const { spec: now = noSpec } = service;
  return [
    ...(old ? validateServiceUpdate(now, old.spec) : []),
    ...validateTopologyAnnotations(service),
    ...validateType(now),
    ...validatePortNames(now),
    ...validateLabels(now.selector, spec.child('selector')),
    ...validateSessionAffinity(now),
    ...validateClusterIPs(now, old?.spec),
    ...(now.externalIPs ?? []).flatMap((address, index) => {
      const at = spec.child('externalIPs').index(index);
      const errors = validateLegacyIP(at, address, old?.spec.externalIPs);
      return errors.length > 0 ? errors : validateEndpointIP(address, at);
    }),
    ...requiredOneOf(spec.child('type'), now.type, types),
    ...validatePortNumbers(now),
    ...validateLoadBalancer(service, old),
    ...validateTraffic(now),
  ];
}

function validateServiceUpdate(service: ServiceSpec, old: ServiceSpec): FieldError[] {
  const errors = [...validateClusterIPsUpdate(service, old), ...validateFamiliesUpdate(service, old)];
  const { type, loadBalancerClass } = service;
  const path = spec.child('loadBalancerClass');
  if (type === 'LoadBalancer' && old.type === 'LoadBalancer' && loadBalancerClass !== old.loadBalancerClass)
    errors.push(invalidValue(path, loadBalancerClass ?? absent, 'may not change once set'));
  errors.push(...validateLoadBalancerClass(service));
  if (
    hasHealthCheckPort(service) &&
    hasHealthCheckPort(old) &&
    (service.healthCheckNodePort ?? 0) !== (old.healthCheckNodePort ?? 0)
  )
    errors.push(forbiddenField(spec.child('healthCheckNodePort'), immutableMessage));
  return errors;
}

function validateTopologyAnnotations({ metadata: { annotations = {} } }: Service): FieldError[] {
  const mode = annotations[modeKey];
  const hints = annotations[hintsKey];
  return mode !== undefined && hints !== undefined && mode !== hints
    ? [invalidValue(annotationsPath.key(modeKey), mode, `must match annotations[${hintsKey}] when both are specified`)]
    : [];
}

function validateType(service: ServiceSpec): FieldError[] {
  const { type, externalName = '' } = service;
  const errors: FieldError[] = [];
  if (!service.ports?.length && !isHeadless(service) && type !== 'ExternalName')
    errors.push(required(spec.child('ports')));
  errors.push(...validateTypeAddresses(service, isHeadless(service)));
  if (type !== 'ExternalName') return errors;
  // It may end with a dot, as names that are complete do.
  const name = externalName.replace(/\.$/, '');
  const at = spec.child('externalName');
  return [...errors, ...(name ? invalidFor(at, name, isDns1123Subdomain(name)) : [required(at)])];
}

function validatePortNames({ ports = [] }: ServiceSpec): FieldError[] {
  const names = new Set<string>();
  return ports.flatMap((port, index) => validatePort(port, spec.child('ports').index(index), ports.length > 1, names));
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

/** A number is used once by a protocol, in the cluster and on nodes. */
function validatePortNumbers({ type, ports = [] }: ServiceSpec): FieldError[] {
  const at = (index: number) => spec.child('ports').index(index);
  const errors: FieldError[] = [];
  const nodePorts = new Set<string>();
  const numbers = new Set<string>();
  if (type === 'ClusterIP')
    ports.forEach(({ nodePort }, index) => {
      if (nodePort)
        errors.push(forbiddenField(at(index).child('nodePort'), "may not be used when `type` is 'ClusterIP'"));
    });
  ports.forEach(({ protocol = '', nodePort }, index) => {
    if (!nodePort) return;
    const key = `${protocol}/${nodePort}`;
    if (nodePorts.has(key)) errors.push(duplicate(at(index).child('nodePort'), nodePort));
    nodePorts.add(key);
  });
  ports.forEach(({ protocol = '', port }, index) => {
    const key = `${protocol}/${port}`;
    const shown = { Name: '', Protocol: protocol, AppProtocol: null, Port: port, TargetPort: 0, NodePort: 0 };
    if (numbers.has(key)) errors.push(duplicate(at(index), shown));
    numbers.add(key);
  });
  return errors;
}

const MAX_AFFINITY_SECONDS = 86400;

function validateSessionAffinity({ sessionAffinity, sessionAffinityConfig: config }: ServiceSpec): FieldError[] {
  const errors = requiredOneOf(spec.child('sessionAffinity'), sessionAffinity, ['ClientIP', 'None']);
  const path = spec.child('sessionAffinityConfig');
  if (sessionAffinity === 'None' && config)
    errors.push(forbiddenField(path, 'must not be set when session affinity is None'));
  if (sessionAffinity !== 'ClientIP') return errors;
  const needed = (at: FieldPath) => [...errors, required(at, 'when session affinity type is ClientIP')];
  const at = path.child('clientIP', 'timeoutSeconds');
  if (!config) return needed(path);
  if (!config.clientIP) return needed(path.child('clientIP'));
  const seconds = config.clientIP.timeoutSeconds;
  if (seconds === undefined) return needed(at);
  if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS)
    errors.push(invalidValue(at, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`));
  return errors;
}

function validateLoadBalancer({ metadata, spec: service = noSpec }: Service, old: Service | undefined): FieldError[] {
  const errors: FieldError[] = [];
  const isLoadBalancer = service.type === 'LoadBalancer';
  const ranges = service.loadBalancerSourceRanges ?? [];
  const text = metadata.annotations?.[rangesKey];
  if (ranges.length > 0) {
    const path = spec.child('LoadBalancerSourceRanges');
    const kept = old?.spec.loadBalancerSourceRanges?.map((range) => range.trim());
    if (!isLoadBalancer) errors.push(forbiddenField(path, onlyLoadBalancer));
    ranges.forEach((range, index) => {
      errors.push(...validateLegacyCIDR(path.index(index), range.trim(), kept));
    });
  } else if (text !== undefined) {
    const path = annotationsPath.key(rangesKey);
    if (!isLoadBalancer) errors.push(forbiddenField(path, onlyLoadBalancer));
    if (text.trim() !== '' && old?.metadata.annotations?.[rangesKey] !== text)
      for (const range of text.split(',')) errors.push(...validateLegacyCIDR(path, range.trim()));
  }
  const allocates = service.allocateLoadBalancerNodePorts;
  if (allocates !== undefined && !isLoadBalancer)
    errors.push(forbiddenField(spec.child('allocateLoadBalancerNodePorts'), onlyLoadBalancer));
  if (allocates === undefined && isLoadBalancer) errors.push(required('allocateLoadBalancerNodePorts'));
  return [...errors, ...validateLoadBalancerClass(service)];
}

function validateLoadBalancerClass({ type, loadBalancerClass: name }: ServiceSpec): FieldError[] {
  if (name === undefined) return [];
  const path = spec.child('loadBalancerClass');
  return type === 'LoadBalancer'
    ? invalidFor(path, name, isQualifiedName(name))
    : [forbiddenField(path, onlyLoadBalancer)];
}

function validateTraffic(service: ServiceSpec): FieldError[] {
  const errors: FieldError[] = [];
  const { type, externalTrafficPolicy, internalTrafficPolicy, healthCheckNodePort, trafficDistribution } = service;
  const external =
    type === 'LoadBalancer' || type === 'NodePort' || (type === 'ClusterIP' && !!service.externalIPs?.length);
  const path = spec.child('externalTrafficPolicy');
  if (external) errors.push(...requiredOneOf(path, externalTrafficPolicy, ['Cluster', 'Local']));
  else if (externalTrafficPolicy)
    errors.push(invalidValue(path, externalTrafficPolicy, 'may only be set for externally-accessible services'));
  const port = spec.child('healthCheckNodePort');
  if (hasHealthCheckPort(service))
    errors.push(
      ...(healthCheckNodePort
        ? invalidFor(port, healthCheckNodePort, isPortNumber(healthCheckNodePort))
        : [required(port)]),
    );
  else if (healthCheckNodePort)
    errors.push(
      invalidValue(
        port,
        healthCheckNodePort,
        "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'",
      ),
    );
  const internal = spec.child('internalTrafficPolicy');
  if (internalTrafficPolicy === undefined) {
    if (type === 'ClusterIP' || type === 'NodePort' || type === 'LoadBalancer') errors.push(required(internal));
  } else errors.push(...optionalOneOf(internal, internalTrafficPolicy, ['Cluster', 'Local']));
  return [...errors, ...optionalOneOf(spec.child('trafficDistribution'), trafficDistribution, distributions)];
}
