import {
  duplicate,
  type FieldError,
  type FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { isDns1123Label, isPortName, isPortNumber } from '../../../apimachinery/names.ts';
import { requiredOneOf } from '../../field-checks.ts';
import type { Container, ContainerPort, EphemeralContainer, PodSpec, Volume } from '../../types/core.v1.gen.ts';
import type { PodAllowances } from './allowances.ts';
import { validateRestart } from './container-restart.ts';
import { validateEnv, validateEnvFrom } from './env.ts';
import { validateMounts } from './mounts.ts';
import { validateLifecycle, validateProbe } from './probes.ts';
import { validateResizePolicy, validateResourceRequirements } from './resources.ts';
import { validateContainerSecurityContext } from './security-context.ts';

/** What the checks of one container need to know about its pod. */
export interface PodContext {
  readonly spec: PodSpec;
  /** The valid ones, by name. */
  readonly volumes: ReadonlyMap<string, Volume>;
  readonly claimNames: ReadonlySet<string>;
  readonly allowances: PodAllowances;
}

const protocols = ['SCTP', 'TCP', 'UDP'];
const pullPolicies = ['Always', 'IfNotPresent', 'Never'];
const messagePolicies = ['File', 'FallbackToLogsOnError'];

export function validateContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const containers = pod.spec.containers ?? [];
  if (containers.length === 0) return [required(path)];
  const names = new Set<string>();
  const errors: FieldError[] = [];
  containers.forEach((container, index) => {
    const at = path.index(index);
    errors.push(...validateCommon(container, at, pod));
    if (names.has(container.name)) errors.push(duplicate(at.child('name'), container.name));
    names.add(container.name);
    errors.push(...validateRunning(container, at, pod), ...validateRestart(container, at));
  });
  return [...errors, ...validateHostPorts(containers, path)];
}

export function validateInitContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const names = new Set((pod.spec.containers ?? []).map(({ name }) => name));
  return (pod.spec.initContainers ?? []).flatMap((container, index) => {
    const at = path.index(index);
    const { name, restartPolicy, resizePolicy } = container;
    const errors = [...validateCommon(container, at, pod), ...validateRestart(container, at)];
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    else if (name) names.add(name);
    // They run one by one: ports may only collide within a container.
    errors.push(...validateHostPorts([container], path));
    if (restartPolicy === 'Always') return [...errors, ...validateRunning(container, at, pod)];
    for (const field of ['lifecycle', 'livenessProbe', 'readinessProbe', 'startupProbe'] as const)
      if (container[field])
        errors.push(forbiddenField(at.child(field), 'may not be set for init containers without restartPolicy=Always'));
    (resizePolicy ?? []).forEach((policy, i) => {
      if (policy.restartPolicy === 'RestartContainer')
        errors.push(
          invalidValue(
            at.child('resizePolicy').index(i).child('restartPolicy'),
            policy.restartPolicy,
            "must not be set to 'RestartContainer' for non-sidecar initContainers",
          ),
        );
    });
    return errors;
  });
}

/** In the order of the fields of Go's type, which is the order of the errors. */
const forbiddenInEphemeral = [
  ...['ports', 'resources', 'resizePolicy', 'restartPolicy', 'restartPolicyRules'],
  ...['livenessProbe', 'readinessProbe', 'startupProbe', 'lifecycle'],
] as (keyof EphemeralContainer)[];

export function validateEphemeralContainers(pod: PodContext, path: FieldPath): FieldError[] {
  const { containers = [], initContainers = [], ephemeralContainers = [] } = pod.spec;
  const others = new Set([...containers, ...initContainers].map(({ name }) => name));
  const names = new Set(others);
  const forbidden = 'cannot be set for an Ephemeral Container';
  return ephemeralContainers.flatMap((container, index) => {
    const at = path.index(index);
    const { name, targetContainerName: target } = container;
    const errors = [...validateCommon(container, at, pod), ...validateImageSpace(container, at)];
    if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    names.add(name);
    if (target && !others.has(target)) errors.push(fieldNotFound(at.child('targetContainerName'), target));
    for (const field of forbiddenInEphemeral)
      if (isSet(container[field])) errors.push(forbiddenField(at.child(field), forbidden));
    (container.volumeMounts ?? []).forEach((mount, i) => {
      for (const field of ['subPath', 'subPathExpr'] as const)
        if (mount[field]) errors.push(forbiddenField(at.child('volumeMounts').index(i).child(field), forbidden));
    });
    return errors;
  });
}

const isSet = (value: unknown) =>
  value != null && value !== '' && (typeof value !== 'object' || Object.keys(value).length > 0);

/** What pods refuse and templates let pass. */
export function validateImageSpace({ image }: Container | EphemeralContainer, path: FieldPath): FieldError[] {
  return image && image.trim() !== image
    ? [invalidValue(path.child('image'), image, 'must not have leading or trailing whitespace')]
    : [];
}

/** What containers of all three kinds have to keep. */
function validateCommon(container: Container | EphemeralContainer, path: FieldPath, pod: PodContext): FieldError[] {
  const { name, image, ports, env, envFrom, resizePolicy } = container;
  const errors: FieldError[] = [];
  if (!name) errors.push(required(path.child('name')));
  else for (const message of isDns1123Label(name)) errors.push(invalidValue(path.child('name'), name, message));
  if (!image) errors.push(required(path.child('image')));
  errors.push(
    ...requiredOneOf(path.child('terminationMessagePolicy'), container.terminationMessagePolicy, messagePolicies),
  );
  if (ports?.length) errors.push(...validatePorts(ports, path.child('ports')));
  if (env?.length) errors.push(...validateEnv(env, path.child('env')));
  if (envFrom?.length) errors.push(...validateEnvFrom(envFrom, path.child('envFrom')));
  errors.push(
    ...validateMounts(container, path, pod.volumes),
    ...requiredOneOf(path.child('imagePullPolicy'), container.imagePullPolicy, pullPolicies),
    ...validateResourceRequirements(
      container.resources,
      path.child('resources'),
      pod.claimNames,
      'container',
      pod.allowances.dividedHugePages,
    ),
  );
  if (resizePolicy?.length)
    errors.push(...validateResizePolicy(resizePolicy, path.child('resizePolicy'), pod.spec.restartPolicy));
  if (container.securityContext)
    errors.push(
      ...validateContainerSecurityContext(container.securityContext, path.child('securityContext'), pod.spec),
    );
  return errors;
}

/** Probes and hooks, of containers that go on running. */
function validateRunning(container: Container, path: FieldPath, { spec }: PodContext): FieldError[] {
  const grace = spec.terminationGracePeriodSeconds;
  const { lifecycle, livenessProbe, readinessProbe, startupProbe } = container;
  const errors: FieldError[] = [];
  if (lifecycle) errors.push(...validateLifecycle(lifecycle, path.child('lifecycle'), grace, spec.os?.name));
  if (livenessProbe) errors.push(...validateProbe(livenessProbe, 'liveness', path.child('livenessProbe'), grace));
  if (readinessProbe) errors.push(...validateProbe(readinessProbe, 'readiness', path.child('readinessProbe'), grace));
  if (startupProbe) errors.push(...validateProbe(startupProbe, 'startup', path.child('startupProbe'), grace));
  return errors;
}

function validatePorts(ports: readonly ContainerPort[], path: FieldPath): FieldError[] {
  const names = new Set<string>();
  const errors: FieldError[] = [];
  ports.forEach(({ name, containerPort, hostPort, protocol }, index) => {
    const at = path.index(index);
    if (name) {
      const messages = isPortName(name);
      for (const message of messages) errors.push(invalidValue(at.child('name'), name, message));
      if (messages.length === 0) {
        if (names.has(name)) errors.push(duplicate(at.child('name'), name));
        names.add(name);
      }
    }
    if (!containerPort) errors.push(required(at.child('containerPort')));
    else
      for (const message of isPortNumber(containerPort))
        errors.push(invalidValue(at.child('containerPort'), containerPort, message));
    if (hostPort)
      for (const message of isPortNumber(hostPort)) errors.push(invalidValue(at.child('hostPort'), hostPort, message));
    if (!protocol) errors.push(required(at.child('protocol')));
    else if (!protocols.includes(protocol)) errors.push(notSupported(at.child('protocol'), protocol, protocols));
  });
  return errors;
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

/** In the host's network a port is the host's; a template may leave it to the pod's defaults. */
export function validateHostNetworkPorts(spec: PodSpec, path: FieldPath, isPod: boolean): FieldError[] {
  if (!spec.hostNetwork) return [];
  const errors: FieldError[] = [];
  spec.containers?.forEach(({ ports }, index) => {
    ports?.forEach(({ containerPort, hostPort = 0 }, i) => {
      if ((isPod || hostPort !== 0) && hostPort !== containerPort)
        errors.push(
          invalidValue(
            path.child('containers').index(index).child('ports').index(i).child('hostPort'),
            hostPort,
            'must match `containerPort` when `hostNetwork` is true',
          ),
        );
    });
  });
  return errors;
}
