import type { Container, Pod } from '../../../api/types/core.v1.gen.ts';

/** What a pod makes its node entitled to read, as `resource/namespace/name` keys, without repeats. */
export function podReferences(pod: Pod): readonly string[] {
  const { spec, metadata } = pod;
  const namespace = metadata.namespace ?? '';
  const found = new Set<string>();
  const add = (resource: string, name: string | undefined) => {
    if (name) found.add(referenceKey(resource, namespace, name));
  };
  // Mirror pods are made by the node itself: they must not open anything to it.
  if (metadata.annotations?.['kubernetes.io/config.mirror'] !== undefined) return [];
  add('serviceaccounts', spec.serviceAccountName);
  for (const { name } of spec.imagePullSecrets ?? []) add('secrets', name);
  const containers = [
    ...(spec.initContainers ?? []),
    ...spec.containers,
    ...((spec.ephemeralContainers ?? []) as readonly unknown[] as readonly Container[]),
  ];
  for (const container of containers) {
    for (const { secretRef, configMapRef } of container.envFrom ?? []) {
      add('secrets', secretRef?.name);
      add('configmaps', configMapRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      add('secrets', valueFrom?.secretKeyRef?.name);
      add('configmaps', valueFrom?.configMapKeyRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    add('secrets', volume.secret?.secretName);
    add('configmaps', volume.configMap?.name);
    add('persistentvolumeclaims', volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral) add('persistentvolumeclaims', `${metadata.name}-${volume.name}`);
    for (const source of volume.projected?.sources ?? []) {
      add('secrets', source.secret?.name);
      add('configmaps', source.configMap?.name);
    }
    for (const secretRef of [
      volume.csi?.nodePublishSecretRef,
      volume.azureFile && { name: volume.azureFile.secretName },
      volume.cephfs?.secretRef,
      volume.flexVolume?.secretRef,
      volume.iscsi?.secretRef,
      volume.rbd?.secretRef,
      volume.scaleIO?.secretRef,
      volume.storageos?.secretRef,
    ]) {
      add('secrets', secretRef?.name);
    }
  }
  for (const claim of pod.status?.resourceClaimStatuses ?? []) add('resourceclaims', claim.resourceClaimName);
  add('resourceclaims', pod.status?.extendedResourceClaimStatus?.resourceClaimName);
  for (const claim of spec.resourceClaims ?? []) add('resourceclaims', claim.resourceClaimName);
  return [...found];
}

export const referenceKey = (resource: string, namespace: string, name: string) => `${resource}/${namespace}/${name}`;
