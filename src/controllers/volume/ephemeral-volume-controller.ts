import { PersistentVolumeClaims, Pods } from '../../client/resource-types.gen.ts';
import { isPodActive } from '../pod-state.ts';
import {
  type ControllerDefinition,
  controllerReference,
  defineController,
  TerminalError,
  watch,
} from '../runtime/index.ts';

/** Makes the claims of pods' generic ephemeral volumes; they are owned by the pod and go with it. */
export function ephemeralVolumeController(): ControllerDefinition {
  return defineController({
    name: 'ephemeral-volume-controller',
    watches: [
      watch(Pods, {
        when: ({ type, object }) => type === 'add' && object.spec?.volumes?.some(({ ephemeral }) => ephemeral) === true,
      }),
      watch(PersistentVolumeClaims, { ownedBy: Pods, when: ({ type }) => type === 'delete' }),
    ],
    async reconcile({ key, namespace }, { client, informer, events }) {
      const pod = informer(Pods).get(key);
      if (!pod || !isPodActive(pod)) return;
      for (const volume of pod.spec?.volumes ?? []) {
        const template = volume.ephemeral?.volumeClaimTemplate;
        if (!template) continue;
        const name = `${pod.metadata.name}-${volume.name}`;
        const existing = informer(PersistentVolumeClaims).get(`${namespace}/${name}`);
        if (existing) {
          if (existing.metadata.ownerReferences?.some(({ uid }) => uid === pod.metadata.uid)) continue;
          const message = `PVC ${namespace}/${name} was not created for pod ${key} (pod is not owner)`;
          events.event(pod, 'Warning', 'EphemeralVolumeClaimConflict', message);
          throw new TerminalError(message);
        }
        await client.for(PersistentVolumeClaims).create({
          apiVersion: 'v1',
          kind: 'PersistentVolumeClaim',
          metadata: {
            name,
            namespace,
            labels: template.metadata?.labels,
            annotations: template.metadata?.annotations,
            ownerReferences: [controllerReference(pod, Pods)],
          },
          spec: template.spec,
        });
      }
    },
  });
}
