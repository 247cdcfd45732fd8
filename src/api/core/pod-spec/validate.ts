import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabels } from '../../../apimachinery/labels.ts';
import { isDns1123Label, isDns1123Subdomain, isQualifiedName } from '../../../apimachinery/names.ts';
import { optionalOneOf, requiredOneOf } from '../../field-checks.ts';
import type { PodResourceClaim, PodSpec, PodTemplateSpec } from '../../types/core.v1.gen.ts';
import { validateAffinity } from './affinity.ts';
import {
  type PodContext,
  validateContainers,
  validateEphemeralContainers,
  validateHostNetworkPorts,
  validateInitContainers,
} from './containers.ts';
import { validatePodDns } from './dns.ts';
import { validatePodLevelResources, validateResourceAmount } from './resources.ts';
import { validateSchedulingGates, validateTolerations, validateTopologySpread } from './scheduling.ts';
import { validatePodOs, validatePodSecurityContext } from './security-context.ts';
import { validateVolumes } from './volumes.ts';

const MAX_INT32 = 2 ** 31 - 1;

/** Semantic validation of a pod template; defaults have been filled in. `path` is the template's, e.g. `spec.template`. */
export function validatePodTemplateSpec(template: PodTemplateSpec, path: FieldPath): FieldError[] {
  const errors = [
    ...validateLabels(template.metadata?.labels, path.child('labels')),
    ...validateAnnotations(template.metadata?.annotations, path.child('annotations')),
    ...validatePodSpec(template.spec ?? { containers: [] }, path.child('spec')),
  ];
  if (template.spec?.ephemeralContainers?.length)
    errors.push(
      forbiddenField(path.child('spec', 'ephemeralContainers'), 'ephemeral containers not allowed in pod template'),
    );
  return errors;
}

/** Annotation keys are qualified names whatever their case. */
export function validateAnnotations(
  annotations: Readonly<Record<string, string>> | undefined,
  path: FieldPath,
): FieldError[] {
  return Object.keys(annotations ?? {}).flatMap((key) =>
    isQualifiedName(key.toLowerCase()).map((message) => invalidValue(path, key, message)),
  );
}

/** Semantic validation of a pod's spec, in a pod or in a template. */
export function validatePodSpec(spec: PodSpec, path: FieldPath): FieldError[] {
  const pod: PodContext = {
    spec,
    volumes: new Map((spec.volumes ?? []).map((volume) => [volume.name, volume])),
    claimNames: new Set((spec.resourceClaims ?? []).map(({ name }) => name)),
  };
  return [
    ...validateVolumes(spec.volumes, path.child('volumes')),
    ...validateResourceClaims(spec.resourceClaims, path.child('resourceClaims')),
    ...validateContainers(pod, path.child('containers')),
    ...validateInitContainers(pod, path.child('initContainers')),
    ...validateEphemeralContainers(pod, path.child('ephemeralContainers')),
    ...validatePodLevelResources(spec.resources, path.child('resources')),
    ...requiredOneOf(path.child('restartPolicy'), spec.restartPolicy, ['Always', 'Never', 'OnFailure']),
    ...validateLabels(spec.nodeSelector, path.child('nodeSelector')),
    ...validateHostNetworkPorts(spec, path),
    ...validatePodSecurityContext(spec, path),
    ...validatePodOs(spec, path.child('os')),
    ...(spec.imagePullSecrets ?? []).flatMap(({ name }, index) =>
      name ? [] : [required(path.child('imagePullSecrets').index(index).child('name'))],
    ),
    ...validateAffinity(spec.affinity, path.child('affinity')),
    ...validatePodDns(spec, path),
    ...(spec.readinessGates ?? []).flatMap(({ conditionType }, index) =>
      isQualifiedName(conditionType ?? '').map((message) =>
        invalidValue(path.child('readinessGates').index(index).child('conditionType'), conditionType ?? '', message),
      ),
    ),
    ...validateSchedulingGates(spec.schedulingGates, path.child('schedulingGates')),
    ...validateTopologySpread(spec.topologySpreadConstraints, path.child('topologySpreadConstraints')),
    ...validateTolerations(spec.tolerations, path.child('tolerations')),
    ...validateNames(spec, path),
    ...validateDeadline(spec.activeDeadlineSeconds, path.child('activeDeadlineSeconds')),
    ...optionalOneOf(path.child('preemptionPolicy'), spec.preemptionPolicy, ['Never', 'PreemptLowerPriority']),
    ...Object.entries(spec.overhead ?? {}).flatMap(([name, amount]) =>
      validateResourceAmount(name, amount, path.child('overhead').key(name)),
    ),
  ];
}

/** Fields that name other objects. */
function validateNames(spec: PodSpec, path: FieldPath): FieldError[] {
  const fields = ['serviceAccountName', 'nodeName', 'priorityClassName', 'runtimeClassName'] as const;
  return fields.flatMap((field) => {
    const name = spec[field];
    return name ? isDns1123Subdomain(name).map((message) => invalidValue(path.child(field), name, message)) : [];
  });
}

function validateDeadline(seconds: number | undefined, path: FieldPath): FieldError[] {
  return seconds !== undefined && (seconds < 1 || seconds > MAX_INT32)
    ? [invalidValue(path, seconds, `must be between 1 and ${MAX_INT32}, inclusive`)]
    : [];
}

function validateResourceClaims(claims: readonly PodResourceClaim[] | undefined, path: FieldPath): FieldError[] {
  const names = new Set<string>();
  return (claims ?? []).flatMap((claim, index) => {
    const at = path.index(index);
    const errors: FieldError[] = [];
    if (!claim.name) errors.push(required(at.child('name')));
    else if (names.has(claim.name)) errors.push(duplicate(at.child('name'), claim.name));
    else
      for (const message of isDns1123Label(claim.name))
        errors.push(invalidValue(at.child('name'), claim.name, message));
    names.add(claim.name);
    const named = claim.resourceClaimName !== undefined;
    const templated = claim.resourceClaimTemplateName !== undefined;
    if (named && templated)
      errors.push(
        invalidValue(at, claim, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified'),
      );
    if (!named && !templated)
      errors.push(invalidValue(at, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`'));
    for (const field of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const name = claim[field];
      if (name !== undefined)
        for (const message of isDns1123Subdomain(name)) errors.push(invalidValue(at.child(field), name, message));
    }
    return errors;
  });
}
