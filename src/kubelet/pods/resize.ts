import type { Container, Pod, ResourceRequirements } from '../../api/types/core.v1.gen.ts';
import { amountOf, type ContainerResourceOptions, containerLinuxResources, milliOf } from '../containers/resources.ts';
import type { LinuxContainerResources } from '../runtime/sandbox-config.ts';
import { isRestartableInit } from './restart-policy.ts';
import { findContainer, type RuntimePod } from './runtime-pod.ts';

/** A running container that has other resources than its spec asks for. */
export interface ContainerResize {
  readonly container: Container;
  readonly id: string;
  readonly resources: LinuxContainerResources;
  /** Its policy for a resource that changes: the new one is for a new start. */
  readonly restart: boolean;
}

/** `applied` is what was set since the container was made, where the runtime may not tell yet. */
export function containerResizes(
  pod: Pod,
  runtime: RuntimePod,
  options: ContainerResourceOptions,
  applied: (id: string) => LinuxContainerResources | undefined,
): ContainerResize[] {
  const sidecars = (pod.spec.initContainers ?? []).filter(isRestartableInit);
  return [...sidecars, ...pod.spec.containers].flatMap((container) => {
    const status = findContainer(runtime, container.name);
    const actual = status && (applied(status.id) ?? status.resources);
    if (status?.state !== 'running' || !actual) return [];
    const { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes } = containerLinuxResources(pod, container, options);
    const wanted = { cpuPeriod, cpuQuota, cpuShares, memoryLimitInBytes } as LinuxContainerResources;
    const differs = (field: 'cpuQuota' | 'cpuShares' | 'memoryLimitInBytes') =>
      Number(actual[field] ?? 0) !== Number(wanted[field] ?? 0);
    const changed = [
      ...(differs('cpuQuota') || differs('cpuShares') ? ['cpu'] : []),
      ...(differs('memoryLimitInBytes') ? ['memory'] : []),
    ];
    if (changed.length === 0) return [];
    const restart = (container.resizePolicy ?? []).some(
      ({ resourceName, restartPolicy }) => restartPolicy === 'RestartContainer' && changed.includes(resourceName),
    );
    return [{ container, id: status.id, resources: wanted, restart }];
  });
}

/** Whether two versions of a pod ask for the same cpu and memory: nothing else is resized. */
export function sameResources(a: Pod, b: Pod): boolean {
  return resourcesText(a) === resourcesText(b);
}

function resourcesText({ spec }: Pod): string {
  const amounts = (resources: ResourceRequirements | undefined) =>
    [resources?.requests, resources?.limits].map((list) => [milliOf(list, 'cpu'), amountOf(list, 'memory')]);
  return JSON.stringify([
    amounts(spec.resources),
    ...[...(spec.initContainers ?? []), ...spec.containers].map(({ name, resources }) => [name, amounts(resources)]),
  ]);
}

/** The pod with the resources of another version of it. */
export function withResourcesOf(pod: Pod, { spec }: Pod): Pod {
  const from = new Map(
    [...(spec.initContainers ?? []), ...spec.containers].map(({ name, resources }) => [name, resources]),
  );
  return withResources(pod, from, spec.resources);
}

/** The pod with the resources that its status tells of: those that were granted before this kubelet started. */
export function grantedBefore(pod: Pod): Pod | undefined {
  const { initContainerStatuses = [], containerStatuses = [], resources } = pod.status ?? {};
  const from = new Map(
    [...initContainerStatuses, ...containerStatuses].flatMap(({ name, resources: granted }) =>
      granted ? [[name, granted] as const] : [],
    ),
  );
  if (from.size === 0) return undefined;
  for (const { name, resources: asked } of [...(pod.spec.initContainers ?? []), ...pod.spec.containers])
    if (!from.has(name) && asked) from.set(name, asked);
  return withResources(pod, from, resources ?? pod.spec.resources);
}

function withResources(
  pod: Pod,
  from: ReadonlyMap<string, ResourceRequirements | undefined>,
  ofPod: ResourceRequirements | undefined,
): Pod {
  const keep = (container: Container): Container => {
    const { resources: _asked, ...rest } = container;
    const resources = from.get(container.name);
    return resources ? { ...rest, resources } : rest;
  };
  const { resources: _ofPod, ...spec } = pod.spec;
  return {
    ...pod,
    spec: {
      ...spec,
      containers: spec.containers.map(keep),
      ...(spec.initContainers ? { initContainers: spec.initContainers.map(keep) } : {}),
      ...(ofPod ? { resources: ofPod } : {}),
    },
  };
}

/** What events say of a resize: the resources that the pod asks for, and why it does not get them (`error`). */
export function resizeMessage(
  what: string,
  { metadata, spec }: Pick<Pod, 'metadata' | 'spec'>,
  error?: string,
): string {
  const summary = ({ name, resources }: Container) => ({ name, resources: inOrder(resources) });
  const { initContainers = [], containers } = spec;
  const summaries = {
    ...(spec.resources ? { resources: inOrder(spec.resources) } : {}),
    ...(initContainers.length > 0 ? { initContainers: initContainers.map(summary) } : {}),
    containers: containers.map(summary),
    generation: metadata.generation ?? 0,
    ...(error ? { error } : {}),
  };
  return `${what}: ${JSON.stringify(summaries)}`;
}

function inOrder({ limits, requests, claims }: ResourceRequirements = {}): ResourceRequirements {
  const sorted = (list: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(list).sort(([a], [b]) => (a < b ? -1 : 1)));
  return {
    ...(limits ? { limits: sorted(limits) } : {}),
    ...(requests ? { requests: sorted(requests) } : {}),
    ...(claims ? { claims } : {}),
  };
}
