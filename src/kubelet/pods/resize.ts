import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { type ContainerResourceOptions, containerLinuxResources } from '../containers/resources.ts';
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

/** Whether two versions of a pod ask for the same. */
export function sameResources(a: Pod, b: Pod): boolean {
  return resourcesText(a) === resourcesText(b);
}

function resourcesText({ spec }: Pod): string {
  return JSON.stringify(
    [...(spec.initContainers ?? []), ...spec.containers].map(({ name, resources }) => [name, resources]),
  );
}

/** The pod with the resources of another version of it. */
export function withResourcesOf(pod: Pod, other: Pod): Pod {
  const from = new Map(
    [...(other.spec.initContainers ?? []), ...other.spec.containers].map(({ name, resources }) => [name, resources]),
  );
  const keep = (container: Container): Container => {
    const { resources: _asked, ...rest } = container;
    const resources = from.get(container.name);
    return resources ? { ...rest, resources } : rest;
  };
  const { initContainers, containers } = pod.spec;
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: containers.map(keep),
      ...(initContainers ? { initContainers: initContainers.map(keep) } : {}),
    },
  };
}
