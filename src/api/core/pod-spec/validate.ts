import {
  duplicate,
  type FieldError,
  type FieldPath,
  fieldNotFound,
  forbiddenField,
  invalidValue,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import type { ObjectMeta } from '../../../apimachinery/meta.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from '../../../apimachinery/names.ts';
import { absent, requiredOneOf, wholeObject } from '../../field-checks.ts';
import type { PodResourceClaim, PodSpec, PodTemplateSpec } from '../../types/core.v1.gen.ts';
import { validateAnnotations } from '../annotations.ts';
import { internalForm } from '../internal-form.ts';
import { podAllowances } from '../pod-allowances.ts';
import { isMirror, validatePodAnnotations, validateProfileAnnotations } from '../pod-annotations.ts';
import { validateAffinity } from './affinity.ts';
import { noAllowances, type PodAllowances } from './allowances.ts';
import {
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateHostNetworkPorts,
  validateInitContainers,
} from './containers.ts';
import { validateDnsConfig, validateDnsPolicy, validateHostAliases, validateHostnameOverride } from './dns.ts';
import { validatePodOs } from './operating-system.ts';
import { validatePodResources } from './pod-resources.ts';
import { validateResourceRequirements } from './resources.ts';
import { validateSchedulingGates, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validateHostUsers, validatePodSecurityContext } from './security-context.ts';
import { visitContainers } from './visit-containers.ts';
import { validateVolumes } from './volumes.ts';
import { validateHostProcess } from './windows-options.ts';

const MAX_INT32 = 2 ** 31 - 1;

/**
 * Semantic validation of a pod template; defaults have been filled in. `path` is the template's, e.g. `spec.template`;
 * `old`, on an update, is the template that it replaces.
 */
export function validatePodTemplateSpec(
  template: PodTemplateSpec,
  path: FieldPath,
  old: PodTemplateSpec | undefined,
): FieldError[] {
  const { metadata = {}, spec = { containers: [] } } = template;
  const at = path.child('spec');
  const allowances = podAllowances(old);
  const errors = [
    ...validateLabels(metadata.labels, path.child('labels')),
    ...validateAnnotations(metadata.annotations, path.child('annotations')),
    ...validatePodAnnotations(metadata.annotations, spec, path.child('annotations'), allowances),
    ...validatePodSpec(spec, at, allowances),
    ...validateProfileAnnotations(metadata.annotations, spec, at),
  ];
  if (spec.ephemeralContainers?.length)
    errors.push(forbiddenField(at.child('ephemeralContainers'), 'ephemeral containers not allowed in pod template'));
  return errors;
}

/** Semantic validation of a pod's spec; `metadata` is the pod's, absent in a template. */
export function validatePodSpec(
  spec: PodSpec,
  path: FieldPath,
  allowances: PodAllowances = noAllowances,
  metadata?: Partial<ObjectMeta>,
): FieldError[] {
  const volumes = validateVolumes(spec.volumes, path.child('volumes'), metadata?.name, allowances);
  const claimNames = new Set((spec.resourceClaims ?? []).map(({ name }) => name).filter((name) => name !== ''));
  const pod: PodContext = { spec, volumes: volumes.valid, claimNames, allowances };
  const grace = spec.terminationGracePeriodSeconds;
  const errors = grace === undefined ? [required(path.child('terminationGracePeriodSeconds'))] : [];
  errors.push(
    ...volumes.errors,
    ...validateResourceClaims(spec.resourceClaims, path.child('resourceClaims'), metadata),
    ...validateContainers(pod, path.child('containers')),
    ...validateInitContainers(pod, path.child('initContainers')),
    ...validateEphemeralContainers(pod, path.child('ephemeralContainers')),
    ...validatePodResources(spec, claimNames, path.child('resources'), allowances.dividedHugePages),
    ...validateHostNetworkPorts(spec, path, metadata !== undefined),
    ...requiredOneOf(path.child('restartPolicy'), spec.restartPolicy, restartPolicies),
    ...validateDnsPolicy(spec, path.child('dnsPolicy')),
    ...validateLabels(spec.nodeSelector, path.child('nodeSelector')),
    ...validatePodSecurityContext(spec, path, allowances),
    ...validateAffinity(spec.affinity, path.child('affinity'), allowances),
    ...validateDnsConfig(spec, path.child('dnsConfig')),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType = '' }, index) =>
      isQualifiedName(conditionType).map((message) =>
        invalidValue(path.child('readinessGates').index(index).child('conditionType'), conditionType, message),
      ),
    ),
    ...validateSchedulingGates(spec.schedulingGates, path.child('schedulingGates')),
    ...validateTopologySpread(spec.topologySpreadConstraints, path.child('topologySpreadConstraints'), allowances),
    ...validateHostProcess(spec, path),
    ...validateHostUsers(spec, path, allowances),
    ...validateHostnameOverride(spec, path.child('hostnameOverride')),
    ...validateSubdomain(spec.serviceAccountName, path.child('serviceAccountName')),
    ...validateSubdomain(spec.nodeName, path.child('nodeName')),
    ...validateDeadline(spec.activeDeadlineSeconds, path.child('activeDeadlineSeconds')),
    ...validateHostLabel(spec.hostname, path.child('hostname')),
    ...validateHostLabel(spec.subdomain, path.child('subdomain')),
    ...validateTolerations(spec.tolerations, path.child('tolerations'), allowances.comparingTolerations),
    ...validateHostAliases(spec.hostAliases, path.child('hostAliases')),
    ...validateSubdomain(spec.priorityClassName, path.child('priorityClassName')),
  );
  if (spec.runtimeClassName !== undefined)
    for (const message of isDns1123Subdomain(spec.runtimeClassName))
      errors.push(invalidValue(path.child('runtimeClassName'), spec.runtimeClassName, message));
  if (spec.preemptionPolicy !== undefined)
    errors.push(...requiredOneOf(path.child('preemptionPolicy'), spec.preemptionPolicy, preemptionPolicies));
  if (spec.overhead)
    errors.push(
      ...validateResourceRequirements(
        { limits: spec.overhead },
        path.child('overhead'),
        noClaims,
        'container',
        allowances.dividedHugePages,
      ),
    );
  errors.push(...validatePodOs(spec, path));
  if (spec.schedulingGroup) {
    const { podGroupName } = spec.schedulingGroup;
    const at = path.child('schedulingGroup', 'podGroupName');
    if (podGroupName === undefined) errors.push(invalidValue(at, absent, 'must specify one of: `podGroupName`'));
    else for (const message of isDns1123Subdomain(podGroupName)) errors.push(invalidValue(at, podGroupName, message));
  }
  return [...errors, ...validateEnvFileVolumes(spec, path)];
}

const restartPolicies = ['Always', 'OnFailure', 'Never'];
const preemptionPolicies = ['PreemptLowerPriority', 'Never'];
const noClaims: ReadonlySet<string> = new Set();

const validateSubdomain = (name: string | undefined, path: FieldPath): FieldError[] =>
  name ? isDns1123Subdomain(name).map((message) => invalidValue(path, name, message)) : [];

const validateHostLabel = (name: string | undefined, path: FieldPath): FieldError[] =>
  name ? isDns1123Label(name).map((message) => invalidValue(path, name, message)) : [];

function validateDeadline(seconds: number | undefined, path: FieldPath): FieldError[] {
  return seconds !== undefined && (seconds < 1 || seconds > MAX_INT32)
    ? [invalidValue(path, seconds, `must be between 1 and ${MAX_INT32}, inclusive`)]
    : [];
}

/** Files with variables come from volumes that containers of the pod write. */
function validateEnvFileVolumes(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  visitContainers(spec, path, ({ env }, at) => {
    env?.forEach(({ valueFrom }, index) => {
      const name = valueFrom?.fileKeyRef?.volumeName;
      if (name === undefined) return;
      const volume = spec.volumes?.findLast((candidate) => candidate.name === name);
      const volumePath = at.child('env').index(index).child('valueFrom', 'fileKeyRef', 'volumeName');
      if (!volume) errors.push(fieldNotFound(volumePath, name));
      else if (!volume.emptyDir)
        errors.push(invalidValue(volumePath, name, 'referenced volume must be of type emptyDir'));
    });
  });
  return errors;
}

function validateResourceClaims(
  claims: readonly PodResourceClaim[] | undefined,
  path: FieldPath,
  metadata: Partial<ObjectMeta> | undefined,
): FieldError[] {
  const names = new Set<string>();
  return (claims ?? []).flatMap((claim, index) => {
    if (isMirror(metadata?.annotations))
      return [forbiddenField(wholeObject, 'static pods do not support resource claims')];
    const at = path.index(index);
    const { name, resourceClaimName, resourceClaimTemplateName } = claim;
    const errors: FieldError[] = [];
    if (!name) errors.push(required(at.child('name')));
    else if (names.has(name)) errors.push(duplicate(at.child('name'), name));
    else {
      for (const message of isDns1123Label(name)) errors.push(invalidValue(at.child('name'), name, message));
      names.add(name);
    }
    const refuse = (detail: string) => errors.push(invalidValue(at, internalForm('PodResourceClaim', claim), detail));
    if (resourceClaimName !== undefined && resourceClaimTemplateName !== undefined)
      refuse('at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified');
    if (resourceClaimName === undefined && resourceClaimTemplateName === undefined)
      refuse('must specify one of: `resourceClaimName`, `resourceClaimTemplateName`');
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const value = claim[field];
      if (value !== undefined)
        for (const message of isDns1123Subdomain(value)) errors.push(invalidValue(at.child(field), value, message));
    }
    return errors;
  });
}
