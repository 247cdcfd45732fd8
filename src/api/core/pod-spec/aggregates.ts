import { Quantity } from '../../../apimachinery/quantity.ts';
import type { PodSpec } from '../../types/core.v1.gen.ts';
import { parseAmount } from './resources.ts';

type Totals = Map<string, Quantity>;

/**
 * What a pod's containers ask for (or may use) together: those that run at the same time added up, or the hungriest
 * init step if that is more. Neither overhead nor the pod's own resources count.
 */
export function aggregate(spec: PodSpec, list: 'limits' | 'requests'): ReadonlyMap<string, Quantity> {
  const total: Totals = new Map();
  for (const { resources } of spec.containers ?? []) addAll(total, resources?.[list]);
  const sidecars: Totals = new Map();
  const peak: Totals = new Map();
  for (const { resources, restartPolicy } of spec.initContainers ?? []) {
    const step = new Map(sidecars);
    addAll(step, resources?.[list]);
    if (restartPolicy === 'Always') {
      addAll(total, resources?.[list]);
      addAll(sidecars, resources?.[list]);
    }
    for (const [name, amount] of step) if (amount.cmp(peak.get(name) ?? Quantity.zero) > 0) peak.set(name, amount);
  }
  for (const [name, amount] of peak) {
    const sum = total.get(name);
    if (!sum || amount.cmp(sum) > 0) total.set(name, amount);
  }
  return total;
}

function addAll(total: Totals, more: Readonly<Record<string, string>> | undefined): void {
  for (const [name, text] of Object.entries(more ?? {})) {
    const amount = parseAmount(text);
    if (amount) total.set(name, total.get(name)?.add(amount) ?? amount);
  }
}
