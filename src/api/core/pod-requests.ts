import { Quantity } from '../../apimachinery/quantity.ts';
import type { Container, Pod, ResourceRequirements } from '../types/core.v1.gen.ts';

/** Amounts by resource name: `cpu` in millicores, everything else in units (bytes, devices). */
export type ResourceAmounts = ReadonlyMap<string, number>;

/** Cores become millicores; other quantities are rounded up to units. */
export function amountOf(resource: string, quantity: string | number): number {
  const parsed = Quantity.parse(quantity);
  return resource === 'cpu' ? parsed.milliValue() : parsed.value();
}

/**
 * What a pod reserves on its node: containers and sidecars together, or the hungriest init step if that is more, plus
 * overhead; pod-level requests win over the sum (KEP-753, KEP-2837).
 */
export function podRequests(pod: Pod): ResourceAmounts {
  const { spec } = pod;
  const total = new Map<string, number>();
  for (const container of spec.containers) addTo(total, requestsOf(container));
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of spec.initContainers ?? []) {
    const requests = requestsOf(container);
    if (container.restartPolicy === 'Always') {
      addTo(total, requests);
      addTo(sidecars, requests);
      maxInto(peak, sidecars);
    } else {
      const step = new Map(sidecars);
      addTo(step, requests);
      maxInto(peak, step);
    }
  }
  maxInto(total, peak);
  if (spec.resources?.requests) for (const [name, value] of amounts(spec.resources.requests)) total.set(name, value);
  if (spec.overhead) addTo(total, amounts(spec.overhead));
  return total;
}

function requestsOf(container: Pick<Container, 'resources'>): ResourceAmounts {
  const resources: ResourceRequirements | undefined = container.resources;
  return amounts(resources?.requests ?? {});
}

function amounts(list: { readonly [name: string]: string }): Map<string, number> {
  const result = new Map<string, number>();
  for (const name of Object.keys(list)) result.set(name, amountOf(name, list[name]!));
  return result;
}

function addTo(total: Map<string, number>, more: ResourceAmounts): void {
  for (const [name, value] of more) total.set(name, (total.get(name) ?? 0) + value);
}

function maxInto(total: Map<string, number>, other: ResourceAmounts): void {
  for (const [name, value] of other) if (value > (total.get(name) ?? 0)) total.set(name, value);
}
