import { podMatchesNode } from '../../../api/core/node-selector.ts';
import { untoleratedTaint } from '../../../api/core/tolerations.ts';
import type { DaemonSet } from '../../../api/types/apps.v1.gen.ts';
import type { Node, Pod, PodSpec, Toleration } from '../../../api/types/core.v1.gen.ts';
import { podFromTemplate } from '../pod-control.ts';

export const REVISION_HASH = 'controller-revision-hash';
const TEMPLATE_GENERATION_LABEL = 'pod-template-generation';
const TEMPLATE_GENERATION = 'deprecated.daemonset.template.generation';

/** A daemon pod stays through whatever befalls its node. */
const TOLERATIONS: readonly Toleration[] = [
  { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute' },
  { key: 'node.kubernetes.io/disk-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/pid-pressure', operator: 'Exists', effect: 'NoSchedule' },
  { key: 'node.kubernetes.io/unschedulable', operator: 'Exists', effect: 'NoSchedule' },
];
const HOST_NETWORK_TOLERATION: Toleration = {
  key: 'node.kubernetes.io/network-unavailable',
  operator: 'Exists',
  effect: 'NoSchedule',
};

/** The pod of a DaemonSet for one node: the scheduler finds its only candidate in the node affinity. */
export function daemonPod(daemonSet: DaemonSet, nodeName: string, hash: string) {
  const pod = podFromTemplate(daemonSet.spec.template, `${daemonSet.metadata.name}-`);
  const generation = daemonSet.metadata.annotations?.[TEMPLATE_GENERATION];
  pod.metadata.labels = {
    ...pod.metadata.labels,
    ...(generation ? { [TEMPLATE_GENERATION_LABEL]: generation } : {}),
    [REVISION_HASH]: hash,
  };
  const byName = { matchFields: [{ key: 'metadata.name', operator: 'In', values: [nodeName] }] };
  pod.spec.affinity = {
    ...pod.spec.affinity,
    nodeAffinity: {
      ...pod.spec.affinity?.nodeAffinity,
      requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [byName] },
    },
  };
  pod.spec.tolerations = tolerationsOf(pod.spec).map((toleration) => ({ ...toleration }));
  return pod;
}

function tolerationsOf(spec: Pick<PodSpec, 'tolerations' | 'hostNetwork'>): readonly Toleration[] {
  const given = spec.tolerations ?? [];
  const added = spec.hostNetwork ? [...TOLERATIONS, HOST_NETWORK_TOLERATION] : TOLERATIONS;
  const has = ({ key, effect }: Toleration) =>
    given.some(
      (other) =>
        other.key === key && other.effect === effect && other.operator === 'Exists' && !other.tolerationSeconds,
    );
  return [...given, ...added.filter((toleration) => !has(toleration))];
}

export interface NodeVerdict {
  readonly shouldRun: boolean;
  /** A pod that is there already may stay. */
  readonly shouldContinue: boolean;
}

/** Decides for each node whether it is one of the DaemonSet's. */
export function nodeVerdicts(daemonSet: DaemonSet): (node: Node) => NodeVerdict {
  const spec = daemonSet.spec.template.spec!;
  const tolerations = tolerationsOf(spec);
  return (node) => {
    if ((spec.nodeName && spec.nodeName !== node.metadata.name) || !podMatchesNode({ spec }, node))
      return { shouldRun: false, shouldContinue: false };
    const taints = node.spec?.taints ?? [];
    if (!untoleratedTaint(taints, tolerations, ['NoSchedule', 'NoExecute']))
      return { shouldRun: true, shouldContinue: true };
    return { shouldRun: false, shouldContinue: !untoleratedTaint(taints, tolerations, ['NoExecute']) };
  };
}

/** The node a daemon pod runs on or is meant for. */
export function targetNode(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return pod.spec.nodeName;
  const terms = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  for (const term of terms ?? [])
    for (const { key, operator, values } of term.matchFields ?? [])
      if (key === 'metadata.name' && operator === 'In' && values?.length === 1) return values[0];
  return undefined;
}

/** Of the template as it is now. */
export function isUpdated(daemonSet: DaemonSet, pod: Pod, hash: string): boolean {
  const labels = pod.metadata.labels ?? {};
  const generation = daemonSet.metadata.annotations?.[TEMPLATE_GENERATION];
  return (
    labels[REVISION_HASH] === hash || (generation !== undefined && labels[TEMPLATE_GENERATION_LABEL] === generation)
  );
}

export const byAge = (a: Pod, b: Pod) =>
  (a.metadata.creationTimestamp ?? '').localeCompare(b.metadata.creationTimestamp ?? '') ||
  a.metadata.name.localeCompare(b.metadata.name);
