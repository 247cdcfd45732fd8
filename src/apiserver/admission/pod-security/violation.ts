import type { Container, Pod, PodSpec, SecurityContext } from '../../../api/types/core.v1.gen.ts';

export type PodLike = Pick<Pod, 'spec'> & {
  readonly metadata?: { readonly annotations?: Readonly<Record<string, string>> };
};

export interface Violation {
  readonly reason: string;
  readonly detail: string;
}

/** One rule of a level: undefined when the pod keeps it. */
export interface Check {
  readonly id: string;
  /** Minor version of Kubernetes that brought it; 0 when absent. */
  readonly since?: number;
  check(pod: PodLike, minor: number): Violation | undefined;
}

export interface CheckedContainer {
  readonly name: string;
  readonly securityContext: SecurityContext | undefined;
  readonly container: Container;
}

/** Every container of a pod, of all three kinds. */
export function containersOf(spec: PodSpec): readonly CheckedContainer[] {
  const all = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...((spec.ephemeralContainers ?? []) as readonly unknown[] as readonly Container[]),
  ];
  return all.map((container) => ({ name: container.name, securityContext: container.securityContext, container }));
}

export const isWindows = (spec: PodSpec) => spec.os?.name === 'windows';
export const joinQuoted = (values: Iterable<string>) => [...values].map((value) => JSON.stringify(value)).join(', ');
export const plural = (one: string, many: string, count: number) => (count === 1 ? one : many);
export const containerList = (names: readonly string[]) =>
  `${plural('container', 'containers', names.length)} ${joinQuoted(names)}`;
/** `pod and containers "a", "b"` */
export const setters = (pod: boolean, names: readonly string[]) =>
  [...(pod ? ['pod'] : []), ...(names.length ? [containerList(names)] : [])].join(' and ');
export const violation = (reason: string, detail: string): Violation => ({ reason, detail });
export const sortedSet = (values: Iterable<string>) => [...new Set(values)].sort();
