import type { Draft } from '../apimachinery/json.ts';
import type { KubeObject } from '../apimachinery/meta.ts';

/**
 * Most kinds take labels and annotations along with a write to `/status`; where status is a controller's to write and
 * metadata somebody else's, the kind calls this and they stay as they were.
 */
export function keepLabelsAndAnnotations(object: Draft<KubeObject>, old: KubeObject): void {
  keepLabels(object, old);
  const { annotations } = old.metadata;
  if (annotations) object.metadata.annotations = { ...annotations };
  else delete object.metadata.annotations;
}

export function keepLabels(object: Draft<KubeObject>, old: KubeObject): void {
  const { labels } = old.metadata;
  if (labels) object.metadata.labels = { ...labels };
  else delete object.metadata.labels;
}
