import type { Draft } from '../../../apimachinery/json.ts';
import type { ObjectMeta } from '../../../apimachinery/meta.ts';
import type { DownwardAPIVolumeFile, PersistentVolumeClaimSpec, Volume } from '../../types/core.v1.gen.ts';
import { defaultImagePullPolicy } from './image-pull-policy.ts';
import { roundResourceList } from './resources.ts';

/** 0644 */
const DEFAULT_FILE_MODE = 0o644;

export function defaultVolume(volume: Draft<Volume>): void {
  const hasSource = Object.entries(volume).some(([key, value]) => key !== 'name' && value != null);
  if (!hasSource) volume.emptyDir = {};
  if (volume.secret) volume.secret.defaultMode ??= DEFAULT_FILE_MODE;
  if (volume.configMap) volume.configMap.defaultMode ??= DEFAULT_FILE_MODE;
  if (volume.downwardAPI) {
    volume.downwardAPI.defaultMode ??= DEFAULT_FILE_MODE;
    defaultDownwardFiles(volume.downwardAPI.items);
  }
  if (volume.projected) {
    volume.projected.defaultMode ??= DEFAULT_FILE_MODE;
    for (const source of volume.projected.sources ?? []) {
      if (source.serviceAccountToken) source.serviceAccountToken.expirationSeconds ??= 3600;
      defaultDownwardFiles(source.downwardAPI?.items);
    }
  }
  if (volume.hostPath) volume.hostPath.type ??= '';
  if (volume.image?.reference) volume.image.pullPolicy ||= defaultImagePullPolicy(volume.image.reference);
  if (volume.ephemeral?.volumeClaimTemplate) {
    const template = volume.ephemeral.volumeClaimTemplate;
    template.metadata ??= {} as Draft<ObjectMeta>;
    if (template.spec) defaultClaimSpec(template.spec);
  }
}

function defaultDownwardFiles(items: Draft<DownwardAPIVolumeFile>[] | undefined): void {
  for (const item of items ?? []) {
    if (item.fieldRef) item.fieldRef.apiVersion ||= 'v1';
    if (item.resourceFieldRef) item.resourceFieldRef.divisor ??= '0';
  }
}

/** Defaults of a PersistentVolumeClaim's spec, also of the templates of ephemeral volumes and of StatefulSets. */
export function defaultClaimSpec(spec: Draft<PersistentVolumeClaimSpec>): void {
  spec.volumeMode ??= 'Filesystem';
  spec.resources ??= {};
  if (spec.resources.limits) roundResourceList(spec.resources.limits);
  if (spec.resources.requests) roundResourceList(spec.resources.requests);
}
