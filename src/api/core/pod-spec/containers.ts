import {
  duplicate,
  type FieldError,
  type FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooMany,
} from '../../../apimachinery/field.ts';
import { isDns1123Label, isIP, isPortName, isPortNumber } from '../../../apimachinery/names.ts';
import { optionalOneOf, requiredOneOf } from '../../field-checks.ts';
import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume } from '../../types/core.v1.gen.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateMounts } from './mounts.ts';
import { validateLifecycle, validateProbe } from './probes.ts';
import { validateResizePolicy, validateResourceRequirements } from './resources.ts';
import { validateContainerSecurityContext } from './security-context.ts';
import { pullPolicies } from './volumes.ts';

/** What the checks of one container need to know about its pod. */
export interface PodContext {
  readonly spec: PodSpec;
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claimNames: ReadonlySet<string>;
}

const protocols = ['SCTP', 'TCP', 'UDP'];

export function validateContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const containers = pod.spec.containers ?? [];
  if (containers.length === 0) return [required(path)];
  const names = new Set<string>();
  const errors = containers.flatMap((container, index) => {
    const at = path.index(index);
    return [
      ...validateCommon(container, at, pod),
      ...validateName(container.name, at, names),
      ...validateRestart(container, at, ['Always', 'Never', 'OnFailure']),
      ...validateRunning(container, at, pod),
    ];
  });
  return [...errors, ...validateHostPorts(containers, path)];
}

export function validateInitContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const names = new Set((pod.spec.containers ?? []).map(({ name }) => name));
  return (pod.spec.initContainers ?? []).flatMap((container, index) => {
    const at = path.index(index);
    const errors = [...validateCommon(container, at, pod), ...validateName(container.name, at, names)];
    errors.push(...validateRestart(container, at, ['Always', 'Never', 'OnFailure']));
    if (container.restartPolicy === 'Always') errors.push(...validateRunning(container, at, pod));
    else {
      for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
        if (container[field])
          errors.push(
            forbiddenField(at.child(field), 'may not be set for init containers without restartPolicy=Always'),
          );
    }
    return [...errors, ...validateHostPorts([container], path)];
  });
}

const forbiddenInEphemeral = [
  ...['lifecycle', 'livenessProbe', 'ports', 'readinessProbe', 'resources', 'restartPolicy', 'restartPolicyRules'],
  ...['resizePolicy', 'startupProbe'],
] as (keyof EphemeralContainer)[];

export function validateEphemeralContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec;
  const others = [...containers, ...initContainers].map(({ name }) => name);
  const names = new Set(others);
  return ephemeralContainers.flatMap((container, index) => {
    const at = path.index(index);
    const errors = [...validateCommon(container, at, pod), ...validateName(container.name, at, names)];
    const target = container.targetContainerName;
    if (target && !others.includes(target)) errors.push(fieldNotFound(at.child('targetContainerName'), target));
    for (const field of forbiddenInEphemeral)
      if (isSet(container[field]))
        errors.push(forbiddenField(at.child(field), 'cannot be set for an Ephemeral Container'));
    (container.volumeMounts ?? []).forEach((mount, i) => {
      for (const field of ['subPath', 'subPathExpr'] as const)
        if (mount[field])
          errors.push(
            forbiddenField(at.child('volumeMounts').index(i).child(field), 'cannot be set for an Ephemeral Container'),
          );
    });
    return errors;
  });
}

const isSet = (value: unknown) =>
  value != null && value !== '' && (typeof value !== 'object' || Object.keys(value).length > 0);

function validateName(name: string, path: FieldPath, names: Set<string>): FieldError[] {
  if (!name) return [];
  if (names.has(name)) return [duplicate(path.child('name'), name)];
  names.add(name);
  return [];
}

/** What containers of all three kinds have to keep. */
function validateCommon(container: Container | EphemeralContainer, path: FieldPath, pod: PodContext): FieldError[] {
  const { name, image } = container;
  const errors = name
    ? isDns1123Label(name).map((message) => invalidValue(path.child('name'), name, message))
    : [required(path.child('name'))];
  if (!image) errors.push(required(path.child('image')));
  else if (image.trim() !== image)
    errors.push(invalidValue(path.child('image'), image, 'must not have leading or trailing whitespace'));
  errors.push(
    ...requiredOneOf(path.child('terminationMessagePolicy'), container.terminationMessagePolicy, [
      'FallbackToLogsOnError',
      'File',
    ]),
    ...validatePorts(container.ports, path.child('ports')),
    ...validateEnv(container.env, path.child('env'), pod.volumes),
    ...validateEnvFrom(container.envFrom, path.child('envFrom')),
    ...validateMounts(container, path, pod.volumes),
    ...requiredOneOf(path.child('imagePullPolicy'), container.imagePullPolicy, pullPolicies),
    ...validateResourceRequirements(container.resources, path.child('resources'), pod.claimNames),
    ...validateResizePolicy(container.resizePolicy, path.child('resizePolicy'), pod.spec.restartPolicy),
    ...validateContainerSecurityContext(container.securityContext, path.child('securityContext'), pod.spec),
  );
  return errors;
}

/** Probes and hooks, of containers that go on running. */
function validateRunning(container: Container, path: FieldPath, { spec }: PodContext): FieldError[] {
  const grace = spec.terminationGracePeriodSeconds;
  return [
    ...validateLifecycle(container.lifecycle, path.child('lifecycle'), grace, spec.os?.name),
    ...validateProbe(container.livenessProbe, 'liveness', path.child('livenessProbe'), grace),
    ...validateProbe(container.readinessProbe, 'readiness', path.child('readinessProbe'), grace),
    ...validateProbe(container.startupProbe, 'startup', path.child('startupProbe'), grace),
  ];
}

function validateRestart(container: Container, path: FieldPath, policies: readonly string[]): FieldError[] {
  const errors = optionalOneOf(path.child('restartPolicy'), container.restartPolicy, policies);
  const rules = container.restartPolicyRules ?? [];
  if (rules.length > 0 && container.restartPolicy === undefined)
    errors.push(required(path.child('restartPolicy'), 'must specify restartPolicy when restart rules are used'));
  if (rules.length > 20) errors.push(tooMany(path.child('restartPolicyRules'), rules.length, 20));
  rules.forEach((rule, index) => {
    const at = path.child('restartPolicyRules').index(index);
    errors.push(...requiredOneOf(at.child('action'), rule.action, ['Restart', 'RestartAllContainers']));
    if (!rule.exitCodes) errors.push(required(at.child('exitCodes'), 'must be specified'));
    else {
      errors.push(...requiredOneOf(at.child('exitCodes', 'operator'), rule.exitCodes.operator, ['In', 'NotIn']));
      if (!rule.exitCodes.values?.length)
        errors.push(required(at.child('exitCodes', 'values'), 'must specify at least one value'));
    }
  });
  return errors;
}

function validatePorts(ports: readonly ContainerPort[] | undefined, path: FieldPath): FieldError[] {
  const names = new Set<string>();
  return (ports ?? []).flatMap((port, index) => {
    const at = path.index(index);
    const errors: FieldError[] = [];
    if (port.name) {
      const messages = isPortName(port.name);
      for (const message of messages) errors.push(invalidValue(at.child('name'), port.name, message));
      if (messages.length === 0 && names.has(port.name)) errors.push(duplicate(at.child('name'), port.name));
      names.add(port.name);
    }
    if (!port.containerPort) errors.push(required(at.child('containerPort')));
    else
      for (const message of isPortNumber(port.containerPort))
        errors.push(invalidValue(at.child('containerPort'), port.containerPort, message));
    if (port.hostPort)
      for (const message of isPortNumber(port.hostPort))
        errors.push(invalidValue(at.child('hostPort'), port.hostPort, message));
    if (!port.protocol) errors.push(required(at.child('protocol')));
    else if (!protocols.includes(port.protocol))
      errors.push(notSupported(at.child('protocol'), port.protocol, protocols));
    if (port.hostIP)
      for (const message of isIP(port.hostIP)) errors.push(invalidValue(at.child('hostIP'), port.hostIP, message));
    return errors;
  });
}

/** No two containers that run together may claim the same port of the host. */
function validateHostPorts(containers: readonly Container[], path: FieldPath): FieldError[] {
  const taken = new Set<string>();
  const errors: FieldError[] = [];
  containers.forEach((container, index) => {
    (container.ports ?? []).forEach((port, i) => {
      if (!port.hostPort) return;
      const claim = `${port.protocol}/${port.hostIP ?? ''}/${port.hostPort}`;
      if (taken.has(claim)) errors.push(duplicate(path.index(index).child('ports').index(i).child('hostPort'), claim));
      taken.add(claim);
    });
  });
  return errors;
}

/** In the host's network a port is the host's. */
export function validateHostNetworkPorts(spec: PodSpec, path: FieldPath): FieldError[] {
  if (!spec.hostNetwork) return [];
  return (['initContainers', 'containers'] as const).flatMap((list) =>
    (spec[list] ?? []).flatMap((container, index) =>
      (container.ports ?? []).flatMap((port, i) =>
        port.hostPort && port.hostPort !== port.containerPort
          ? [
              invalidValue(
                path.child(list).index(index).child('ports').index(i).child('containerPort'),
                port.containerPort,
                'must match `hostPort` when `hostNetwork` is true',
              ),
            ]
          : [],
      ),
    ),
  );
}
