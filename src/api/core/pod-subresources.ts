import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { isDns1123Subdomain } from '../../apimachinery/names.ts';
import { semanticEqual } from '../field-checks.ts';
import type { Binding, Container, Pod } from '../types/core.v1.gen.ts';
import { computeQosClass } from './pod-qos.ts';
import { validatePodSpec } from './pod-spec/index.ts';

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
  const path = spec.child('ephemeralContainers');
  const errors = validatePodSpec(pod.spec, spec);
  const now = new Map((pod.spec.ephemeralContainers ?? []).map((container) => [container.name, container]));
  for (const before of old.spec.ephemeralContainers ?? []) {
    const container = now.get(before.name);
    if (!container)
      errors.push(forbiddenField(path, `existing ephemeral containers "${before.name}" may not be removed\n`));
    else if (!semanticEqual(container, before))
      errors.push(forbiddenField(path, `existing ephemeral containers "${before.name}" may not be changed\n`));
  }
  if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    errors.push(forbiddenField(path, 'static pods do not support ephemeral containers'));
  return errors;
}

/** `/resize`: `old` with the containers' resources and resize policies of `requested`, matched by name. */
export function applyResize(requested: Pod, old: Pod): Draft<Pod> {
  const pod = withMetadataOf(requested, old);
  for (const list of ['containers', 'initContainers'] as const) {
    for (const container of requested.spec?.[list] ?? []) {
      const target = pod.spec[list]?.find(({ name }) => name === container.name);
      if (!target) continue;
      target.resources = draft(container.resources ?? {});
      if (container.resizePolicy) target.resizePolicy = draft(container.resizePolicy);
    }
  }
  if (requested.spec?.resources) pod.spec.resources = draft(requested.spec.resources);
  return pod;
}

/** `requested` is what the client sent, `pod` what `applyResize` made of it. */
export function validateResize(pod: Pod, old: Pod, requested: Pod = pod): FieldError[] {
  const errors = validatePodSpec(pod.spec, spec);
  if (old.metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined)
    return [forbiddenField(FieldPath.of('metadata'), 'static pods cannot be resized')];
  if (!['Pending', 'Running', undefined].includes(old.status?.phase))
    return [forbiddenField(FieldPath.of('status', 'phase'), 'Pod running state is required for a resize')];
  const names = (list: readonly Container[] | undefined) => (list ?? []).map(({ name }) => name).join();
  if (names(requested.spec.containers) !== names(old.spec.containers))
    errors.push(forbiddenField(spec, 'containers may not be renamed or reordered on resize'));
  if (computeQosClass(pod.spec) !== computeQosClass(old.spec))
    errors.push(invalidValue(spec, computeQosClass(pod.spec), 'Pod QOS Class may not change as a result of resizing'));
  let otherChange = false;
  for (const list of ['containers', 'initContainers'] as const) {
    (pod.spec[list] ?? []).forEach((container, index) => {
      const before = old.spec[list]?.find(({ name }) => name === container.name);
      if (!before || semanticEqual(container.resources, before.resources)) return;
      const at = spec.child(list).index(index).child('resources');
      if (list === 'initContainers' && container.restartPolicy !== 'Always') {
        errors.push(forbiddenField(at, 'resources for non-sidecar init containers are immutable'));
        return;
      }
      for (const kind of ['limits', 'requests'] as const) {
        const now = container.resources?.[kind] ?? {};
        const then = before.resources?.[kind] ?? {};
        if (['cpu', 'memory'].some((name) => then[name] !== undefined && now[name] === undefined))
          errors.push(forbiddenField(at.child(kind), `resource ${kind} cannot be removed`));
        for (const name of new Set([...Object.keys(now), ...Object.keys(then)]))
          if (name !== 'cpu' && name !== 'memory' && now[name] !== then[name]) otherChange = true;
      }
    });
  }
  if (otherChange) errors.push(forbiddenField(spec, 'only cpu and memory resources are mutable'));
  return errors;
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
  else for (const message of isDns1123Subdomain(name)) errors.push(invalidValue(path.child('name'), name, message));
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
  const status = pod.status ?? {};
  pod.status = status;
  const others = (status.conditions ?? []).filter(({ type }) => type !== 'PodScheduled');
  const observedGeneration = pod.metadata.generation;
  status.conditions = [
    ...others,
    {
      type: 'PodScheduled',
      status: 'True',
      lastTransitionTime: now,
      ...(observedGeneration !== undefined ? { observedGeneration } : {}),
    },
  ];
  delete status.nominatedNodeName;
  return undefined;
}
