import type { ControllerRevision, StatefulSet } from '../../../api/types/apps.v1.gen.ts';
import type { PersistentVolumeClaim, Pod } from '../../../api/types/core.v1.gen.ts';
import { draft } from '../../../apimachinery/json.ts';
import { isPodAvailable, isPodReady } from '../../pod-state.ts';
import { templateOf } from '../controller-history.ts';
import { podFromTemplate } from '../pod-control.ts';

export const REVISION = 'controller-revision-hash';
const POD_NAME = 'statefulset.kubernetes.io/pod-name';
const POD_INDEX = 'apps.kubernetes.io/pod-index';

export const startOf = (set: StatefulSet) => set.spec.ordinals?.start ?? 0;
export const replicasOf = (set: StatefulSet) => set.spec.replicas ?? 1;
export const isOrdered = (set: StatefulSet) => set.spec.podManagementPolicy !== 'Parallel';
export const revisionOf = (pod: Pod) => pod.metadata.labels?.[REVISION];
export const isTerminating = (pod: Pod) => pod.metadata.deletionTimestamp !== undefined;
export const isRunningAndReady = (pod: Pod) => pod.status?.phase === 'Running' && isPodReady(pod);

export function isAvailable(set: StatefulSet, pod: Pod, now: number): boolean {
  return isRunningAndReady(pod) && isPodAvailable(pod, set.spec.minReadySeconds ?? 0, now);
}

/** The ordinal in a pod's name, when it is named as one of the set's. */
export function ordinalOf(set: StatefulSet, pod: Pod): number | undefined {
  const prefix = `${set.metadata.name}-`;
  const { name } = pod.metadata;
  const text = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return /^(0|[1-9]\d*)$/.test(text) ? Number(text) : undefined;
}

export const inRange = (set: StatefulSet, ordinal: number) =>
  ordinal >= startOf(set) && ordinal < startOf(set) + replicasOf(set);

export function identityLabels(set: StatefulSet, ordinal: number): Record<string, string> {
  return { [POD_NAME]: `${set.metadata.name}-${ordinal}`, [POD_INDEX]: String(ordinal) };
}

/** The pod of an ordinal: its name, host name and claims are its own for ever. */
export function statefulPod(set: StatefulSet, ordinal: number, revision: ControllerRevision) {
  const name = `${set.metadata.name}-${ordinal}`;
  const pod = podFromTemplate(templateOf(revision), '');
  delete pod.metadata.generateName;
  pod.metadata.name = name;
  pod.metadata.labels = {
    ...pod.metadata.labels,
    ...identityLabels(set, ordinal),
    [REVISION]: revision.metadata.name,
  };
  pod.spec.hostname = name;
  if (set.spec.serviceName) pod.spec.subdomain = set.spec.serviceName;
  const claims = claimsOf(set, ordinal);
  const own = claims.map(({ volume, claim }) => ({
    name: volume,
    persistentVolumeClaim: { claimName: claim.metadata.name },
  }));
  const others = (pod.spec.volumes ?? []).filter((volume) => !claims.some((claim) => claim.volume === volume.name));
  if (own.length + others.length > 0) pod.spec.volumes = [...own, ...others];
  return { ...pod, metadata: { ...pod.metadata, name } };
}

export interface StatefulClaim {
  /** Of the pod: the template's name. */
  readonly volume: string;
  readonly claim: PersistentVolumeClaim;
}

/** The claims of an ordinal, by the set's templates. */
export function claimsOf(set: StatefulSet, ordinal: number): readonly StatefulClaim[] {
  return (set.spec.volumeClaimTemplates ?? []).map((template) => {
    const { labels, annotations, name } = template.metadata;
    return {
      volume: name,
      claim: {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: {
          name: `${name}-${set.metadata.name}-${ordinal}`,
          namespace: set.metadata.namespace!,
          labels: { ...labels, ...set.spec.selector.matchLabels },
          ...(annotations ? { annotations } : {}),
        },
        spec: draft(template.spec!),
      },
    };
  });
}
