import { Quantity } from '../../apimachinery/quantity.ts';
import type { Container, Pod } from '../types/core.v1.gen.ts';

type Quantities = Readonly<Record<string, string>>;
export type Usage = ReadonlyMap<string, Quantity>;

const COMPUTE = new Set(['cpu', 'memory', 'ephemeral-storage']);
/** Of what a quota limits, what every container of a pod must state. */
const MUST_STATE = new Set(['cpu', 'memory', 'requests.cpu', 'requests.memory', 'limits.cpu', 'limits.memory']);

/** Pods that have ended, or should have by now, use nothing but their object. */
export function podCounts(pod: Pod, now: number): boolean {
  if (pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded') return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  return (
    deletionTimestamp === undefined ||
    deletionGracePeriodSeconds === undefined ||
    now <= Date.parse(deletionTimestamp) + deletionGracePeriodSeconds * 1000
  );
}

export function podUsage(pod: Pod, now: number): Usage {
  const usage = new Map<string, Quantity>([['count/pods', ONE]]);
  if (!podCounts(pod, now)) return usage;
  usage.set('pods', ONE);
  const held = charged(pod);
  for (const [name, value] of podTotal(held, 'requests')) {
    if (COMPUTE.has(name)) usage.set(name, value).set(`requests.${name}`, value);
    else if (name.startsWith('hugepages-')) usage.set(name, value).set(`requests.${name}`, value);
    else if (name.includes('/')) usage.set(`requests.${name}`, value);
  }
  for (const [name, value] of podTotal(held, 'limits')) if (COMPUTE.has(name)) usage.set(`limits.${name}`, value);
  return usage;
}

const ONE = Quantity.parse('1');

/** The pod with what its containers hold where that is more than they ask for: while a resize goes on, both are spoken for. */
function charged(pod: Pod): Pod {
  const { containerStatuses = [], initContainerStatuses = [], conditions = [] } = pod.status ?? {};
  const statuses = new Map([...containerStatuses, ...initContainerStatuses].map((status) => [status.name, status]));
  if (![...statuses.values()].some(({ resources }) => resources)) return pod;
  const refused = conditions.some(({ type, reason }) => type === 'PodResizePending' && reason === 'Infeasible');
  const withHeld = (container: Container): Container => {
    const status = statuses.get(container.name);
    if (!status?.resources) return container;
    const asked = refused ? {} : (container.resources ?? {});
    const { requests, limits } = status.resources;
    return {
      ...container,
      resources: {
        ...container.resources,
        requests: most(asked.requests, requests, status.allocatedResources),
        limits: most(asked.limits, limits),
      },
    };
  };
  const { containers, initContainers } = pod.spec;
  const sidecars = initContainers?.map((one) => (one.restartPolicy === 'Always' ? withHeld(one) : one));
  return {
    ...pod,
    spec: { ...pod.spec, containers: containers.map(withHeld), ...(sidecars ? { initContainers: sidecars } : {}) },
  };
}

function most(...lists: readonly (Quantities | undefined)[]): Quantities {
  const result: Record<string, string> = {};
  for (const list of lists)
    for (const [name, value] of Object.entries(list ?? {}))
      if (result[name] === undefined || Quantity.parse(value).cmp(Quantity.parse(result[name])) > 0)
        result[name] = value;
  return result;
}

/** What a pod asks for: containers together, or an init container's peak where that is more, and the overhead. */
export function podTotal(pod: Pod, field: 'requests' | 'limits'): Map<string, Quantity> {
  const total = new Map<string, Quantity>();
  for (const container of pod.spec.containers) add(total, container.resources?.[field]);
  const sidecars = new Map<string, Quantity>();
  const peaks: ReadonlyMap<string, Quantity>[] = [];
  for (const container of pod.spec.initContainers ?? []) {
    if (container.restartPolicy === 'Always') {
      add(sidecars, container.resources?.[field]);
      add(total, container.resources?.[field]);
      peaks.push(new Map(sidecars));
    } else {
      const peak = new Map(sidecars);
      add(peak, container.resources?.[field]);
      peaks.push(peak);
    }
  }
  for (const peak of peaks)
    for (const [name, value] of peak) if (value.cmp(total.get(name) ?? Quantity.zero) > 0) total.set(name, value);
  for (const [name, value] of Object.entries(pod.spec.resources?.[field] ?? {})) total.set(name, Quantity.parse(value));
  for (const [name, value] of Object.entries(pod.spec.overhead ?? {})) {
    const known = total.get(name);
    if (field === 'requests' || known) total.set(name, (known ?? Quantity.zero).add(Quantity.parse(value)));
  }
  return total;
}

function add(into: Map<string, Quantity>, quantities: Quantities | undefined): void {
  for (const [name, value] of Object.entries(quantities ?? {}))
    into.set(name, (into.get(name) ?? Quantity.zero).add(Quantity.parse(value)));
}

/** What a quota limits and containers leave open: `limits.cpu for: web,sidecar; memory for: web`. Undefined when nothing. */
export function unstatedResources(pod: Pod, limited: readonly string[]): string | undefined {
  const required = limited.filter((name) => MUST_STATE.has(name)).sort();
  const podLevel = containerResources({ name: '', resources: pod.spec.resources });
  const containers = [...pod.spec.containers, ...(pod.spec.initContainers ?? [])];
  const open = required.flatMap((name) => {
    if (podLevel.has(name)) return [];
    const without = containers
      .filter((container) => !containerResources(container).has(name))
      .map((container) => container.name);
    return without.length ? [`${name} for: ${without.sort().join(',')}`] : [];
  });
  return open.length ? open.join('; ') : undefined;
}

function containerResources({ resources }: Pick<Container, 'name' | 'resources'>): ReadonlySet<string> {
  const requests = Object.keys(resources?.requests ?? {});
  return new Set([
    ...requests,
    ...requests.map((name) => `requests.${name}`),
    ...Object.keys(resources?.limits ?? {}).map((name) => `limits.${name}`),
  ]);
}

/** No container asks for anything. */
export function isBestEffort(pod: Pod): boolean {
  const any = (resources: Container['resources']) =>
    [...Object.entries(resources?.requests ?? {}), ...Object.entries(resources?.limits ?? {})].some(
      ([name, value]) => (name === 'cpu' || name === 'memory') && !Quantity.parse(value).isZero(),
    );
  return (
    !any(pod.spec.resources) &&
    ![...pod.spec.containers, ...(pod.spec.initContainers ?? [])].some((container) => any(container.resources))
  );
}
