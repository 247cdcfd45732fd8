import type { PersistentVolume, Pod } from '../../../api/types/core.v1.gen.ts';
import type { ResourceSlice } from '../../../api/types/resource.v1.gen.ts';
import type { VolumeAttachment } from '../../../api/types/storage.v1.gen.ts';
import { podReferences, referenceKey } from './pod-references.ts';

/** The objects that say what concerns a node. The watch cache offers it. */
export interface NodeGraphSource {
  /** Calls back for the objects there are before it returns. The result ends the subscription. */
  subscribe<K extends keyof NodeGraphObjects>(
    resource: K,
    listener: { upsert(object: NodeGraphObjects[K]): void; remove(object: NodeGraphObjects[K]): void },
  ): () => void;
}

export interface NodeGraphObjects {
  pods: Pod;
  persistentvolumes: PersistentVolume;
  volumeattachments: VolumeAttachment;
  resourceslices: ResourceSlice;
}

interface PodEntry {
  readonly nodeName: string;
  readonly references: readonly string[];
}

/** Which secrets, config maps, claims, volumes, ... the pods of each node use; kept up to date change by change. */
export class NodeGraph {
  readonly #pods = new Map<string, PodEntry>();
  /** Node name, reference, number of pods that use it. */
  readonly #uses = new Map<string, Map<string, number>>();
  readonly #claimOfVolume = new Map<string, string>();
  readonly #claimsOfVolumeSecret = new Map<string, Map<string, string>>();
  readonly #attachments = new Map<string, string>();
  readonly #slices = new Map<string, string>();

  subscribe(source: NodeGraphSource): () => void {
    const ends = [
      source.subscribe('pods', { upsert: (pod) => this.setPod(pod), remove: (pod) => this.removePod(pod) }),
      source.subscribe('persistentvolumes', {
        upsert: (volume) => this.setVolume(volume),
        remove: (volume) => this.removeVolume(volume),
      }),
      source.subscribe('volumeattachments', {
        upsert: (attachment) => this.#attachments.set(attachment.metadata.name, attachment.spec.nodeName),
        remove: (attachment) => this.#attachments.delete(attachment.metadata.name),
      }),
      source.subscribe('resourceslices', {
        upsert: (slice) => this.#slices.set(slice.metadata.name, slice.spec.nodeName ?? ''),
        remove: (slice) => this.#slices.delete(slice.metadata.name),
      }),
    ];
    return () => {
      for (const end of ends) end();
    };
  }

  setPod(pod: Pod): void {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const nodeName = pod.spec.nodeName ?? '';
    const known = this.#pods.get(key);
    if (!nodeName) {
      if (known) this.#forget(key, known);
      return;
    }
    const references = [...podReferences(pod), referenceKey('pods', pod.metadata.namespace ?? '', pod.metadata.name)];
    if (
      known &&
      known.nodeName === nodeName &&
      known.references.length === references.length &&
      references.every((reference, index) => reference === known.references[index])
    )
      return;
    if (known) this.#forget(key, known);
    this.#pods.set(key, { nodeName, references });
    const uses = entry(this.#uses, nodeName);
    for (const reference of references) uses.set(reference, (uses.get(reference) ?? 0) + 1);
  }

  removePod(pod: Pod): void {
    const key = `${pod.metadata.namespace}/${pod.metadata.name}`;
    const known = this.#pods.get(key);
    if (known) this.#forget(key, known);
  }

  setVolume(volume: PersistentVolume): void {
    this.removeVolume(volume);
    const claim = volume.spec.claimRef;
    if (!claim?.name) return;
    const { name } = volume.metadata;
    const claimKey = referenceKey('persistentvolumeclaims', claim.namespace ?? '', claim.name);
    this.#claimOfVolume.set(name, claimKey);
    for (const secret of volumeSecrets(volume, claim.namespace ?? '')) {
      entry(this.#claimsOfVolumeSecret, secret).set(name, claimKey);
    }
  }

  removeVolume(volume: PersistentVolume): void {
    const { name } = volume.metadata;
    if (!this.#claimOfVolume.delete(name)) return;
    for (const [secret, claims] of this.#claimsOfVolumeSecret)
      if (claims.delete(name) && claims.size === 0) this.#claimsOfVolumeSecret.delete(secret);
  }

  /** True when a pod of the node uses the object, directly or through its volumes. */
  reaches(nodeName: string, resource: string, namespace: string, name: string): boolean {
    if (resource === 'volumeattachments') return this.#attachments.get(name) === nodeName;
    if (resource === 'resourceslices') return this.#slices.get(name) === nodeName;
    const uses = this.#uses.get(nodeName);
    if (!uses) return false;
    if (resource === 'persistentvolumes') {
      const claim = this.#claimOfVolume.get(name);
      return claim !== undefined && uses.has(claim);
    }
    const key = referenceKey(resource, namespace, name);
    if (uses.has(key)) return true;
    if (resource !== 'secrets') return false;
    const claims = this.#claimsOfVolumeSecret.get(key);
    return claims !== undefined && [...claims.values()].some((claim) => uses.has(claim));
  }

  #forget(key: string, entry: PodEntry): void {
    this.#pods.delete(key);
    const uses = this.#uses.get(entry.nodeName);
    if (!uses) return;
    for (const reference of entry.references) {
      const count = (uses.get(reference) ?? 1) - 1;
      if (count > 0) uses.set(reference, count);
      else uses.delete(reference);
    }
    if (uses.size === 0) this.#uses.delete(entry.nodeName);
  }
}

function entry<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let value = map.get(key);
  if (!value) {
    value = new Map();
    map.set(key, value);
  }
  return value;
}

/** Those that a kubelet uses; what controllers attach and expand with is no node's business. */
function volumeSecrets({ spec }: PersistentVolume, claimNamespace: string): readonly string[] {
  const references = [
    spec.csi?.nodePublishSecretRef,
    spec.csi?.nodeStageSecretRef,
    spec.csi?.nodeExpandSecretRef,
    spec.azureFile && { name: spec.azureFile.secretName, namespace: spec.azureFile.secretNamespace },
    spec.cephfs?.secretRef,
    spec.flexVolume?.secretRef,
    spec.iscsi?.secretRef,
    spec.rbd?.secretRef,
    spec.scaleIO?.secretRef,
    spec.storageos?.secretRef,
  ];
  return references.flatMap((reference) =>
    reference?.name ? [referenceKey('secrets', reference.namespace || claimNamespace, reference.name)] : [],
  );
}
