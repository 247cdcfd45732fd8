import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { PriorityClass } from '../../api/types/scheduling.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { isFor, rejected } from './rejection.ts';

/** Pods get the number and the preemption policy of their PriorityClass; at most one class is the default. */
export function priority(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'Priority',
    handles: (attributes) =>
      (isFor(attributes, '', 'pods') && (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE')) ||
      (isFor(attributes, 'scheduling.k8s.io', 'priorityclasses') &&
        (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE')),
    async mutate(attributes, object) {
      if (attributes.resource.resource !== 'pods') return;
      const pod = object as unknown as Draft<Pod>;
      if (attributes.operation === 'UPDATE') {
        const old = attributes.oldObject as unknown as Pod;
        if (pod.spec.priority === undefined && old.spec.priority !== undefined) pod.spec.priority = old.spec.priority;
        if (pod.spec.preemptionPolicy === undefined && old.spec.preemptionPolicy !== undefined)
          pod.spec.preemptionPolicy = old.spec.preemptionPolicy;
        return;
      }
      const chosen = pod.spec.priorityClassName
        ? await find(lookup, 'priorityclasses', pod.spec.priorityClassName)
        : globalDefault(lookup.list('priorityclasses'));
      if (!chosen && pod.spec.priorityClassName)
        throw rejected(attributes, pod, `no PriorityClass with name ${pod.spec.priorityClassName} was found`);
      if (chosen) pod.spec.priorityClassName = chosen.metadata.name;
      const value = chosen?.value ?? 0;
      const policy = chosen?.preemptionPolicy ?? 'PreemptLowerPriority';
      if (pod.spec.priority !== undefined && pod.spec.priority !== value) {
        throw rejected(
          attributes,
          pod,
          `the integer value of priority (${pod.spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
        );
      }
      if (pod.spec.preemptionPolicy !== undefined && pod.spec.preemptionPolicy !== policy) {
        throw rejected(
          attributes,
          pod,
          `the string value of PreemptionPolicy (${pod.spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
        );
      }
      pod.spec.priority = value;
      pod.spec.preemptionPolicy = policy;
    },
    validate(attributes, object) {
      if (attributes.resource.resource !== 'priorityclasses') return;
      const priorityClass = object as unknown as PriorityClass;
      if (!priorityClass.globalDefault) return;
      const other = lookup
        .list('priorityclasses')
        .find((known) => known.globalDefault && known.metadata.name !== priorityClass.metadata.name);
      if (other)
        throw rejected(
          attributes,
          priorityClass,
          `PriorityClass ${other.metadata.name} is already marked as default. Only one default can exist`,
        );
    },
  };
}

/** Should there be several against the rule, the lowest value counts. */
function globalDefault(classes: readonly PriorityClass[]): PriorityClass | undefined {
  let lowest: PriorityClass | undefined;
  for (const candidate of classes)
    if (candidate.globalDefault && (!lowest || (candidate.value ?? 0) < (lowest.value ?? 0))) lowest = candidate;
  return lowest;
}
