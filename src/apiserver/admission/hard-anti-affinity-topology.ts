import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { isFor, rejected } from './rejection.ts';

const HOSTNAME = 'kubernetes.io/hostname';

/** Pods can keep others from their node, but not from a whole zone. Off by default. */
export const limitPodHardAntiAffinityTopology: AdmissionStep = {
  name: 'LimitPodHardAntiAffinityTopology',
  handles: (attributes) =>
    (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'pods'),
  validate(attributes, object) {
    const { affinity } = (object as unknown as Pod).spec;
    for (const { topologyKey } of affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [])
      if (topologyKey !== HOSTNAME)
        throw rejected(
          attributes,
          object,
          `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${topologyKey} but only key ${HOSTNAME} is allowed`,
        );
  },
};
