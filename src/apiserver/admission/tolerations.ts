import type { Node, Pod, Toleration } from '../../api/types/core.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import { isFor } from './rejection.ts';

const NOT_READY = 'node.kubernetes.io/not-ready';
const UNREACHABLE = 'node.kubernetes.io/unreachable';

/** A pod outlives five minutes of its node being unreachable or not ready, unless it says otherwise. */
export function defaultTolerationSeconds(seconds = 300): AdmissionStep {
  return {
    name: 'DefaultTolerationSeconds',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
    mutate(_attributes, object) {
      const { spec } = object as unknown as Draft<Pod>;
      for (const key of [NOT_READY, UNREACHABLE]) {
        if (spec.tolerations?.some((toleration) => toleratesNoExecute(toleration, key))) continue;
        spec.tolerations = [
          ...(spec.tolerations ?? []),
          { key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds },
        ];
      }
    },
  };
}

function toleratesNoExecute({ key, effect }: Toleration, taint: string): boolean {
  return (key === taint || !key) && (effect === 'NoExecute' || !effect);
}

/** A new node takes no pods until it has been seen ready. */
export const taintNodesByCondition: AdmissionStep = {
  name: 'TaintNodesByCondition',
  handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'nodes'),
  mutate(_attributes, object) {
    const node = object as unknown as Draft<Node>;
    node.spec ??= {};
    if (node.spec.taints?.some((taint) => taint.key === NOT_READY && taint.effect === 'NoSchedule')) return;
    node.spec.taints = [...(node.spec.taints ?? []), { key: NOT_READY, effect: 'NoSchedule' }];
  },
};

/** Pods that ask for an extended resource tolerate the taint that reserves nodes for it. Off by default. */
export const extendedResourceToleration: AdmissionStep = {
  name: 'ExtendedResourceToleration',
  handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'pods'),
  mutate(_attributes, object) {
    const { spec } = object as unknown as Draft<Pod>;
    const names = new Set<string>();
    for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
      for (const name of Object.keys(container.resources?.requests ?? {})) if (isExtended(name)) names.add(name);
    }
    for (const key of [...names].sort()) {
      if (spec.tolerations?.some((toleration) => toleration.key === key && toleration.operator === 'Exists')) continue;
      spec.tolerations = [...(spec.tolerations ?? []), { key, operator: 'Exists' }];
    }
  },
};

const isExtended = (name: string) =>
  name.includes('/') && !name.includes('kubernetes.io/') && !name.startsWith('requests.');
