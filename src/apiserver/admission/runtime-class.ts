import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { RuntimeClass } from '../../api/types/node.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { mergedTolerations } from './merge-tolerations.ts';
import { isFor, quote, rejected } from './rejection.ts';

/** Pods of a RuntimeClass get its overhead, node selector and tolerations. */
export function runtimeClassStep(lookup: AdmissionLookup): AdmissionStep {
  async function classOf(attributes: AdmissionAttributes, pod: Pod): Promise<RuntimeClass | undefined> {
    const name = pod.spec.runtimeClassName;
    if (!name) return undefined;
    const found = await find(lookup, 'runtimeclasses', name);
    if (!found) throw rejected(attributes, pod, `pod rejected: RuntimeClass ${quote(name)} not found`);
    return found;
  }

  return {
    name: 'RuntimeClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
    async mutate(attributes, object) {
      const pod = object as unknown as Draft<Pod>;
      const runtimeClass = await classOf(attributes, pod);
      if (!runtimeClass) return;
      const overhead = runtimeClass.overhead?.podFixed;
      if (overhead && !pod.spec.overhead) pod.spec.overhead = { ...overhead };
      const { nodeSelector, tolerations } = runtimeClass.scheduling ?? {};
      if (nodeSelector) pod.spec.nodeSelector = mergeNodeSelector(attributes, pod, nodeSelector);
      if (tolerations?.length)
        pod.spec.tolerations = mergedTolerations([...(pod.spec.tolerations ?? []), ...tolerations]);
    },
    async validate(attributes, object) {
      const pod = object as unknown as Pod;
      const runtimeClass = await classOf(attributes, pod);
      const overhead = runtimeClass?.overhead?.podFixed;
      const { overhead: given = {} } = pod.spec;
      if (!overhead && Object.keys(given).length === 0) return;
      if (!overhead)
        throw rejected(
          attributes,
          pod,
          'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead',
        );
      if (!sameQuantities(given, overhead))
        throw rejected(attributes, pod, "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead");
    },
  };
}

function mergeNodeSelector(
  attributes: AdmissionAttributes,
  pod: Pod,
  wanted: Readonly<Record<string, string>>,
): Record<string, string> {
  const merged: Record<string, string> = { ...pod.spec.nodeSelector };
  for (const [key, value] of Object.entries(wanted)) {
    const given = merged[key];
    if (given !== undefined && given !== value) {
      throw rejected(
        attributes,
        pod,
        `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${given}`,
      );
    }
    merged[key] = value;
  }
  return merged;
}

function sameQuantities(a: Readonly<Record<string, string>>, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(a);
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => b[name] !== undefined && Quantity.parse(a[name]!).cmp(Quantity.parse(b[name]!)) === 0)
  );
}
