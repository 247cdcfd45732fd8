import { Quantity } from '../../apimachinery/quantity.ts';
import type { PodSpec, ResourceRequirements } from '../types/core.v1.gen.ts';
import { parseAmount } from './pod-spec/resources.ts';

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort';

const counted = ['cpu', 'memory'] as const;

/** The quality of service class that a pod's cpu and memory amounts make. */
export function computeQosClass(spec: Pick<PodSpec, 'containers' | 'initContainers' | 'resources'>): QosClass {
  const podLevel = spec.resources && (spec.resources.limits || spec.resources.requests) ? [spec.resources] : undefined;
  const all: readonly (ResourceRequirements | undefined)[] =
    podLevel ?? [...(spec.containers ?? []), ...(spec.initContainers ?? [])].map(({ resources }) => resources);
  const requests = new Map<string, Quantity>();
  const limits = new Map<string, Quantity>();
  let everyoneLimited = true;
  for (const resources of all) {
    sum(requests, resources?.requests);
    if (sum(limits, resources?.limits) < counted.length) everyoneLimited = false;
  }
  if (requests.size === 0 && limits.size === 0) return 'BestEffort';
  const guaranteed =
    everyoneLimited &&
    requests.size === limits.size &&
    [...requests].every(([name, amount]) => limits.get(name)?.cmp(amount) === 0);
  return guaranteed ? 'Guaranteed' : 'Burstable';
}

/** Adds the positive amounts to `totals`; returns how many there were. */
function sum(totals: Map<string, Quantity>, list: Readonly<Record<string, string>> | undefined): number {
  let found = 0;
  for (const name of counted) {
    const amount = parseAmount(list?.[name]);
    if (!amount || amount.sign() <= 0) continue;
    found++;
    totals.set(name, (totals.get(name) ?? Quantity.zero).add(amount));
  }
  return found;
}
