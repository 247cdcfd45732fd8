import { type FieldError, FieldPath, forbiddenField, notSupported, required } from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { invalidFor, semanticEqual, wholeObject } from '../field-checks.ts';
import type { Binding, Pod } from '../types/core.v1.gen.ts';
import { internalDiff } from './internal-diff.ts';
import { validatePod } from './pod.ts';
import { isMirror } from './pod-annotations.ts';

const spec = FieldPath.of('spec');

/** `/ephemeralcontainers`: `old` with the ephemeral containers of `requested`, and nothing else of it. */
export function applyEphemeralContainers(requested: Pod, old: Pod): Draft<Pod> {
  const pod = withMetadataOf(requested, old);
  if (requested.spec?.ephemeralContainers) pod.spec.ephemeralContainers = draft(requested.spec.ephemeralContainers);
  else delete pod.spec.ephemeralContainers;
  return pod;
}

/** Ephemeral containers are added, never changed or removed. */
export function validateEphemeralContainersUpdate(pod: Pod, old: Pod): FieldError[] {
  if (isMirror(old.metadata.annotations))
    return [forbiddenField(wholeObject, 'static pods do not support ephemeral containers')];
  const errors = validatePod(pod, old);
  const path = spec.child('ephemeralContainers');
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const before of old.spec.ephemeralContainers ?? []) {
    const container = now.get(before.name);
    const refuse = (what: string) =>
      errors.push(forbiddenField(path, `existing ephemeral containers ${JSON.stringify(before.name)} ${what}`));
    if (!container) refuse('may not be removed\n');
    else if (!semanticEqual(container, before))
      refuse(`may not be changed\n${internalDiff('EphemeralContainer', before, container)}`);
  }
  return errors;
}

/**
 * `/resize`: `old` with the resources and resize policies that `requested` has for its containers and the whole pod.
 * Containers that are others than before are left to validation.
 */
export function applyResize(requested: Pod, old: Pod): Draft<Pod> {
  const pod = withMetadataOf(requested, old);
  for (const list of ['containers', 'initContainers'] as const) {
    const wanted = requested.spec?.[list] ?? [];
    const before = pod.spec[list] ?? [];
    if (wanted.length !== before.length || wanted.some(({ name }, index) => name !== before[index]?.name)) {
      pod.spec[list] = draft(wanted);
      continue;
    }
    wanted.forEach(({ resources, resizePolicy }, index) => {
      const target = before[index];
      if (!target) return;
      target.resources = draft(resources ?? {});
      if (resizePolicy) target.resizePolicy = draft(resizePolicy);
      else delete target.resizePolicy;
    });
  }
  if (requested.spec?.resources) pod.spec.resources = draft(requested.spec.resources);
  else delete pod.spec.resources;
  return pod;
}

/** What a write through a subresource keeps of the client's metadata: the version it was based on, and its managed fields. */
function withMetadataOf(requested: Pod, old: Pod): Draft<Pod> {
  const pod = draft(old);
  const { resourceVersion, managedFields } = requested.metadata;
  if (resourceVersion !== undefined) pod.metadata.resourceVersion = resourceVersion;
  if (managedFields) pod.metadata.managedFields = draft(managedFields);
  return pod;
}

export function validateBinding(binding: Binding): FieldError[] {
  const path = FieldPath.of('target');
  const errors: FieldError[] = [];
  const { kind, name } = binding.target ?? {};
  if (kind && kind !== 'Node') errors.push(notSupported(path.child('kind'), kind, ['Node', '<empty>']));
  if (!name) errors.push(required(path.child('name')));
  else if (!kind || kind === 'Node') errors.push(...invalidFor(path.child('name'), name, isDns1123Subdomain(name)));
  return errors;
}

/**
 * Assigns the pod to the binding's node and records the PodScheduled condition at `now` (RFC 3339).
 * Returns why it cannot be (the message of a 409), or undefined when it is done.
 */
export function bindPod(pod: Draft<Pod>, binding: Binding, now: string): string | undefined {
  const { uid, resourceVersion } = binding.metadata ?? {};
  if (uid && uid !== pod.metadata.uid)
    return `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${pod.metadata.uid}`;
  if (resourceVersion && resourceVersion !== pod.metadata.resourceVersion)
    return `Precondition failed: ResourceVersion in precondition: ${resourceVersion}, ResourceVersion in object meta: ${pod.metadata.resourceVersion}`;
  if (pod.metadata.deletionTimestamp) return `pod ${pod.metadata.name} is being deleted, cannot be assigned to a host`;
  if (pod.spec.nodeName) return `pod ${pod.metadata.name} is already assigned to node "${pod.spec.nodeName}"`;
  if (pod.spec.schedulingGates?.length) return `pod ${pod.metadata.name} has non-empty .spec.schedulingGates`;
  pod.spec.nodeName = binding.target.name ?? '';
  if (binding.metadata?.annotations)
    pod.metadata.annotations = { ...pod.metadata.annotations, ...binding.metadata.annotations };
  if (binding.metadata?.labels) pod.metadata.labels = { ...binding.metadata.labels, ...pod.metadata.labels };
  const status = pod.status ?? {};
  pod.status = status;
  const observedGeneration = pod.metadata.generation;
  const scheduled = {
    type: 'PodScheduled',
    status: 'True',
    lastTransitionTime: now,
    ...(observedGeneration !== undefined ? { observedGeneration } : {}),
  };
  const conditions = status.conditions ?? [];
  const index = conditions.findIndex(({ type }) => type === 'PodScheduled');
  status.conditions = index < 0 ? [...conditions, scheduled] : conditions.with(index, scheduled);
  delete status.nominatedNodeName;
  return undefined;
}
