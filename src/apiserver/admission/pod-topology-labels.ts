import type { Binding, Pod } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionLookup } from './lookup.ts';
import { isFor } from './rejection.ts';

const LABELS = ['topology.kubernetes.io/zone', 'topology.kubernetes.io/region'];

/** Pods carry the zone and region of their node as labels, unless they have them already. */
export function podTopologyLabels(lookup: AdmissionLookup): AdmissionStep {
  function label(metadata: { labels?: Record<string, string> }, nodeName: string | undefined): void {
    const given = nodeName ? lookup.get('nodes', nodeName)?.metadata.labels : undefined;
    if (!given) return;
    for (const name of LABELS) {
      const value = given[name];
      if (value === undefined || metadata.labels?.[name] !== undefined) continue;
      metadata.labels = { ...metadata.labels, [name]: value };
    }
  }
  return {
    name: 'PodTopologyLabels',
    handles: (attributes) =>
      attributes.operation === 'CREATE' && (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'binding')),
    mutate({ subresource }, object) {
      if (subresource === '') label(object.metadata, (object as unknown as Pod).spec.nodeName);
      else {
        const binding = object as unknown as Draft<Binding>;
        if (binding.target?.kind === 'Node') label(object.metadata, binding.target.name);
      }
    },
  };
}
