import type { PersistentVolumeClaim, Pod } from '../../api/types/core.v1.gen.ts';
import type { Informer } from '../../client/informer.ts';
import { reject, type SchedulerPlugin } from '../framework.ts';

const NAME = 'VolumeRestrictions';

/** A claim with access mode ReadWriteOncePod serves one pod in the whole cluster. */
export function volumeRestrictions(claims: Informer<PersistentVolumeClaim>): SchedulerPlugin {
  const exclusive = (pod: Pod) =>
    (pod.spec.volumes ?? [])
      .flatMap((volume) =>
        volume.persistentVolumeClaim ? [`${pod.metadata.namespace}/${volume.persistentVolumeClaim.claimName}`] : [],
      )
      .filter((key) => claims.get(key)?.spec.accessModes?.includes('ReadWriteOncePod'));
  return {
    name: NAME,
    events: ['pod-deleted', 'claim-changed'],
    preFilter(state, pod) {
      const wanted = exclusive(pod);
      if (wanted.length) state.set(NAME, new Set(wanted));
      return undefined;
    },
    filter(state, _pod, _node, snapshot) {
      const wanted = state.get(NAME) as ReadonlySet<string> | undefined;
      if (!wanted) return;
      const inUse = snapshot.nodes.some((node) =>
        [...node.pods.values()].some(({ pod }) => exclusive(pod).some((key) => wanted.has(key))),
      );
      if (inUse)
        return reject(
          NAME,
          'node has pod using PersistentVolumeClaim with the same name and ReadWriteOncePod access mode',
        );
    },
  };
}
