import type { FieldPath } from '../../apimachinery/field.ts';
import type { ContainerPort, PodSpec, PodTemplateSpec, Volume } from '../types/core.v1.gen.ts';
import { addressWarnings } from './address-warnings.ts';
import { nodeLabelMessage, nodeSelectorTermWarnings } from './node-label-warnings.ts';
import { appArmorPrefix, seccompContainerPrefix, seccompPodKey } from './pod-annotations.ts';
import { visitContainers } from './pod-spec/visit-containers.ts';
import { volumePathWarnings } from './volume-path-warnings.ts';
import { claimSpecWarnings, fractionWarnings, retiredSources } from './volume-warnings.ts';

type Annotations = Readonly<Record<string, string>>;

const matchesNothing = 'a null labelSelector results in matching no pod';

/** What the API server warns about in a pod. `path` is the spec's, `annotations` the pod's, at `annotationsPath`. */
export function podSpecWarnings(
  spec: PodSpec | undefined,
  path: FieldPath,
  annotations: Annotations,
  annotationsPath: FieldPath,
  isTemplate = false,
): string[] {
  if (!spec) return [];
  const warnings = [
    ...nodeWarnings(spec, path),
    ...oldAnnotations.flatMap(([key, message]) =>
      annotations[key] === undefined ? [] : [`${annotationsPath.key(key)}: ${message}`],
    ),
    ...(spec.volumes ?? []).flatMap((volume, index) => volumeWarnings(volume, path.child('volumes').index(index))),
    ...volumePathWarnings(spec.volumes ?? []),
    ...repeatedWarnings(spec.hostAliases ?? [], 'ip', path.child('hostAliases')),
    ...repeatedWarnings(spec.imagePullSecrets ?? [], 'name', path.child('imagePullSecrets')),
  ];
  spec.imagePullSecrets?.forEach(({ name }, index) => {
    if (!name) warnings.push(`${path.child('imagePullSecrets').index(index).child('name')}: invalid empty name ""`);
  });
  warnings.push(...fractionWarnings(spec.overhead, byteResources, path.child('overhead')));
  if (!spec.securityContext?.seccompProfile && annotations[seccompPodKey] !== undefined)
    warnings.push(`${annotationsPath.key(seccompPodKey)}: ${seccompMessage}`);
  visitContainers(spec, path, ({ name, securityContext, resources, env }, at) => {
    const seccomp = seccompContainerPrefix + name;
    if (!securityContext?.seccompProfile && annotations[seccomp] !== undefined)
      warnings.push(`${annotationsPath.key(seccomp)}: ${seccompMessage}`);
    const appArmor = appArmorPrefix + name;
    const confined = spec.securityContext?.appArmorProfile ?? securityContext?.appArmorProfile;
    if (isTemplate && !confined && annotations[appArmor] !== undefined)
      warnings.push(`${annotationsPath.key(appArmor)}: ${appArmorMessage}`);
    for (const byte of byteResources)
      for (const list of ['limits', 'requests'] as const)
        warnings.push(...fractionWarnings(resources?.[list], [byte], at.child('resources', list)));
    if (env && env.length > 1) warnings.push(...envWarnings(env, at.child('env')));
  });
  warnings.push(...portWarnings(spec, path), ...portNameWarnings(spec, path));
  if ((spec.terminationGracePeriodSeconds ?? 0) < 0)
    warnings.push(
      `${path.child('terminationGracePeriodSeconds')}: must be >= 0; negative values are invalid and will be treated as 1`,
    );
  warnings.push(...affinityWarnings(spec, path.child('affinity')));
  spec.dnsConfig?.nameservers?.forEach((server, index) => {
    warnings.push(...addressWarnings(path.child('dnsConfig', 'nameservers').index(index), server));
  });
  spec.hostAliases?.forEach(({ ip = '' }, index) => {
    warnings.push(...addressWarnings(path.child('hostAliases').index(index).child('ip'), ip));
  });
  return warnings;
}

/** `path` is the template's. */
export function podTemplateWarnings(template: PodTemplateSpec | undefined, path: FieldPath): string[] {
  const annotations = template?.metadata?.annotations ?? {};
  return podSpecWarnings(template?.spec, path.child('spec'), annotations, path.child('metadata', 'annotations'), true);
}

const byteResources = ['memory', 'ephemeral-storage'];
const seccompMessage = 'non-functional in v1.27+; use the "seccompProfile" field instead';
export const appArmorMessage = 'deprecated since v1.30; use the "appArmorProfile" field instead';
const sysctlsMessage = 'non-functional in v1.11+; use the "sysctls" field instead';
const oldAnnotations = [
  ['scheduler.alpha.kubernetes.io/critical-pod', 'non-functional in v1.16+; use the "priorityClassName" field instead'],
  ['security.alpha.kubernetes.io/sysctls', sysctlsMessage],
  ['security.alpha.kubernetes.io/unsafe-sysctls', sysctlsMessage],
] as const;

function nodeWarnings(spec: PodSpec, path: FieldPath): string[] {
  const warnings: string[] = [];
  for (const key of Object.keys(spec.nodeSelector ?? {})) {
    const message = nodeLabelMessage(key);
    if (message) warnings.push(`${path.child('nodeSelector').key(key)}: ${message}`);
  }
  const { requiredDuringSchedulingIgnoredDuringExecution: required, preferredDuringSchedulingIgnoredDuringExecution } =
    spec.affinity?.nodeAffinity ?? {};
  const affinity = path.child('affinity', 'nodeAffinity');
  required?.nodeSelectorTerms?.forEach((term, index) => {
    const at = affinity.child('requiredDuringSchedulingIgnoredDuringExecution', 'nodeSelectorTerms').index(index);
    warnings.push(...nodeSelectorTermWarnings(term, at, false));
  });
  preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ preference }, index) => {
    const at = affinity.child('preferredDuringSchedulingIgnoredDuringExecution').index(index).child('preference');
    warnings.push(...nodeSelectorTermWarnings(preference ?? {}, at, true));
  });
  spec.topologySpreadConstraints?.forEach(({ topologyKey, labelSelector }, index) => {
    const at = path.child('topologySpreadConstraints').index(index);
    const message = nodeLabelMessage(topologyKey);
    if (message) warnings.push(`${at.child('topologyKey')}: ${topologyKey} is ${message}`);
    if (!labelSelector) warnings.push(`${at.child('labelSelector')}: ${matchesNothing}`);
  });
  return warnings;
}

function volumeWarnings(volume: Volume, path: FieldPath): string[] {
  const sources = volume as unknown as Readonly<Record<string, unknown>>;
  const warnings = retiredSources
    .filter(([field]) => sources[field] != null)
    .map(([field, since, shown]) => `${path.child(shown ?? field)}: ${since}`);
  const claim = volume.ephemeral?.volumeClaimTemplate;
  return claim
    ? [...warnings, ...claimSpecWarnings(claim.spec, path.child('ephemeral', 'volumeClaimTemplate', 'spec'))]
    : warnings;
}

function repeatedWarnings<Field extends string>(
  items: readonly { readonly [field in Field]?: string }[],
  field: Field,
  path: FieldPath,
): string[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const value = item[field] ?? '';
    if (seen.has(value)) return [`${path.index(index).child(field)}: duplicate ${field} ${JSON.stringify(value)}`];
    seen.add(value);
    return [];
  });
}

/** A variable may build on an earlier one of the same name, but not take its place. */
function envWarnings(env: NonNullable<PodSpec['containers'][number]['env']>, path: FieldPath): string[] {
  const names = new Set<string>();
  return env.flatMap(({ name, value = '', valueFrom }, index) => {
    const known = names.has(name);
    names.add(name);
    const reference = `$(${name})`;
    if (!known || (!valueFrom && value !== reference && value.includes(reference))) return [];
    return [
      `${path.index(index)}: hides previous definition of ${JSON.stringify(name)}, which may be dropped when using apply`,
    ];
  });
}

/** Of ports that containers of the pod take from each other. */
function portWarnings(spec: PodSpec, path: FieldPath): string[] {
  const warnings: string[] = [];
  const known = new Map<string, { readonly port: ContainerPort; readonly at: FieldPath }[]>();
  visitContainers(spec, path, ({ ports }, containerPath) => {
    ports?.forEach((port, index) => {
      const at = containerPath.child('ports').index(index);
      const { hostIP = '', hostPort = 0, containerPort, protocol = '' } = port;
      if (hostIP && !hostPort)
        warnings.push(
          `${at}: hostIP set without hostPort: {Name:${port.name ?? ''} HostPort:0 ContainerPort:${containerPort} Protocol:${protocol} HostIP:${hostIP}}`,
        );
      const key = `${containerPort}/${protocol}`;
      const others = known.get(key);
      if (!others) {
        known.set(key, [{ port, at }]);
        return;
      }
      for (const { port: other, at: where } of others) {
        const samePort = hostPort === (other.hostPort ?? 0);
        if (samePort && hostIP === (other.hostIP ?? ''))
          warnings.push(`${at}: duplicate port definition with ${where}`);
        else if (!hostPort || !other.hostPort) warnings.push(`${at}: overlapping port definition with ${where}`);
        else if (samePort && (hostIP === '') !== ((other.hostIP ?? '') === ''))
          warnings.push(`${at}: dangerously ambiguous port definition with ${where}`);
      }
      others.push({ port, at });
    });
  });
  return warnings;
}

/** Who looks for a port by its name finds the first. */
function portNameWarnings(spec: PodSpec, path: FieldPath): string[] {
  const warnings: string[] = [];
  const known = new Map<string, FieldPath>();
  visitContainers(spec, path, ({ ports }, containerPath) => {
    ports?.forEach(({ name }, index) => {
      if (!name) return;
      const at = containerPath.child('ports').index(index);
      const first = known.get(name);
      if (!first) known.set(name, at);
      else
        warnings.push(
          `${at}: duplicate port name ${JSON.stringify(name)} with ${first}, services and probes that select ports by name will use ${first}`,
        );
    });
  });
  return warnings;
}

function affinityWarnings({ affinity }: PodSpec, path: FieldPath): string[] {
  const warnings: string[] = [];
  for (const kind of ['podAffinity', 'podAntiAffinity'] as const) {
    const {
      requiredDuringSchedulingIgnoredDuringExecution: required,
      preferredDuringSchedulingIgnoredDuringExecution,
    } = affinity?.[kind] ?? {};
    required?.forEach(({ labelSelector }, index) => {
      const at = path.child(kind, 'requiredDuringSchedulingIgnoredDuringExecution').index(index);
      if (!labelSelector) warnings.push(`${at.child('labelSelector')}: ${matchesNothing}`);
    });
    preferredDuringSchedulingIgnoredDuringExecution?.forEach(({ podAffinityTerm }, index) => {
      const at = path.child(kind, 'preferredDuringSchedulingIgnoredDuringExecution').index(index);
      if (!podAffinityTerm?.labelSelector)
        warnings.push(`${at.child('podAffinityTerm', 'labelSelector')}: ${matchesNothing}`);
    });
  }
  return warnings;
}
