import { type FieldError, FieldPath, forbiddenField, invalidValue } from '../../apimachinery/field.ts';
import { semanticEqual, wholeObject } from '../field-checks.ts';
import type { Container, Pod, PodSpec, ResourceRequirements } from '../types/core.v1.gen.ts';
import { validatePod } from './pod.ts';
import { isMirror } from './pod-annotations.ts';
import { computeQosClass } from './pod-qos.ts';

const spec = FieldPath.of('spec');
const lists = ['requests', 'limits'] as const;

/** Only amounts of cpu and memory change, and none is taken away. */
export function validateResize(pod: Pod, old: Pod): FieldError[] {
  if (isMirror(old.metadata.annotations)) return [forbiddenField(wholeObject, 'static pods cannot be resized')];
  if (old.spec.os?.name === 'windows') return [forbiddenField(wholeObject, 'windows pods cannot be resized')];
  const errors = validatePod(pod, old);
  if ((old.status?.qosClass || computeQosClass(old.spec)) !== computeQosClass(pod.spec))
    errors.push(invalidValue(spec, pod.status?.qosClass ?? '', 'Pod QOS Class may not change as a result of resizing'));
  const running = old.status?.containerStatuses?.find(({ state }) => state?.running);
  if (running && !running.resources)
    errors.push(forbiddenField(spec, 'Pod running on node without support for resize'));
  errors.push(...validatePodLevel(pod.spec.resources, old.spec.resources));
  if (old.status?.nodeAllocatableResourceClaimStatuses?.length)
    errors.push(forbiddenField(spec, 'pods with node allocatable resource claims cannot be resized'));
  const reordered = [
    ...validateOrder('containers', pod.spec, old.spec),
    ...validateOrder('initContainers', pod.spec, old.spec),
  ];
  if (reordered.length > 0) return [...errors, ...reordered];
  for (const list of ['initContainers', 'containers'] as const)
    pod.spec[list]?.forEach(({ resources }, index) => {
      for (const kind of lists)
        if (isRemoved(resources?.[kind], old.spec[list]?.[index]?.resources?.[kind]))
          errors.push(
            forbiddenField(
              spec.child(list).index(index).child('resources', kind),
              `resource ${kind} cannot be removed`,
            ),
          );
    });
  pod.spec.containers.forEach((container, index) => {
    if (changesMore(container, old.spec.containers[index]))
      errors.push(forbiddenField(spec, 'only cpu and memory resources are mutable'));
  });
  pod.spec.initContainers?.forEach((container, index) => {
    errors.push(...validateInitContainer(container, old.spec.initContainers?.[index], index));
  });
  return errors;
}

function validatePodLevel(now: ResourceRequirements | undefined, old: ResourceRequirements | undefined): FieldError[] {
  const isSet = (resources: ResourceRequirements | undefined) =>
    Object.keys({ ...resources?.requests, ...resources?.limits }).length > 0;
  if (!isSet(now) && !isSet(old)) return [];
  if (!now) return [forbiddenField(spec.child('resources'), 'pod-level resources cannot be removed')];
  const errors = lists
    .filter((kind) => old && isRemoved(now[kind], old[kind]))
    .map((kind) => forbiddenField(spec.child('resources', kind), `pod-level resource ${kind} cannot be removed`));
  return semanticEqual(withoutCpuAndMemory(now, old), withoutCpuAndMemory(old, old))
    ? errors
    : [...errors, forbiddenField(spec, 'only cpu and memory resources are mutable at pod-level')];
}

function validateOrder(list: 'containers' | 'initContainers', pod: PodSpec, old: PodSpec): FieldError[] {
  const now = pod[list] ?? [];
  const before = old[list] ?? [];
  const path = spec.child(list);
  if (now.length !== before.length) return [forbiddenField(path, `${list} may not be added or removed on resize`)];
  return before.flatMap(({ name }, index) =>
    now[index]?.name === name
      ? []
      : [forbiddenField(path.index(index).child('name'), `${list} may not be renamed or reordered on resize`)],
  );
}

type Amounts = Readonly<Record<string, string>> | undefined;

const isRemoved = (now: Amounts, old: Amounts) => Object.keys(old ?? {}).some((name) => now?.[name] === undefined);

/** `resources` with the cpu and memory of `old`. */
function withoutCpuAndMemory(
  resources: ResourceRequirements | undefined,
  old: ResourceRequirements | undefined,
): Record<string, unknown> {
  const rest: Record<string, unknown> = resources?.claims ? { claims: resources.claims } : {};
  for (const kind of lists) {
    const amounts: Record<string, string> = {};
    for (const [name, amount] of Object.entries(resources?.[kind] ?? {}))
      if (name !== 'cpu' && name !== 'memory') amounts[name] = amount;
    for (const name of ['cpu', 'memory']) {
      const amount = old?.[kind]?.[name];
      if (amount !== undefined) amounts[name] = amount;
    }
    if (Object.keys(amounts).length > 0) rest[kind] = amounts;
  }
  return rest;
}

function changesMore(container: Container, old: Container | undefined): boolean {
  const strip = (of: Container | undefined) => ({
    ...of,
    resources: withoutCpuAndMemory(of?.resources, old?.resources),
  });
  return !semanticEqual(strip(container), strip(old));
}

function validateInitContainer(container: Container, old: Container | undefined, index: number): FieldError[] {
  if (semanticEqual(container, old)) return [];
  const path = spec.child('initContainers').index(index);
  const errors: FieldError[] = [];
  if (changesMore(container, old))
    errors.push(forbiddenField(path, 'only cpu and memory resources for init or sidecar containers are mutable'));
  if (container.restartPolicy !== 'Always')
    for (const { restartPolicy } of container.resizePolicy ?? [])
      if (restartPolicy === 'RestartContainer')
        errors.push(
          forbiddenField(
            path,
            'non-sidecar init containers with a resize policy of RestartContainer cannot be resized',
          ),
        );
  return errors;
}
