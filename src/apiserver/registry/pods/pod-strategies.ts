import { validateResize } from '../../../api/core/pod-resize.ts';
import {
  applyEphemeralContainers,
  applyResize,
  validateEphemeralContainersUpdate,
} from '../../../api/core/pod-subresources.ts';
import type { Pod } from '../../../api/types/core.v1.gen.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { SubresourceStrategy } from '../update.ts';

export const ephemeralContainersStrategy: SubresourceStrategy = {
  name: 'ephemeralcontainers',
  prepare: (object, old) => replace(object, old, applyEphemeralContainers),
  validate: (object, old) => validateEphemeralContainersUpdate(asPod(object), asPod(old)),
};

export const resizeStrategy: SubresourceStrategy = {
  name: 'resize',
  prepare: (object, old) => replace(object, old, applyResize),
  validate: (object, old) => validateResize(asPod(object), asPod(old)),
};

const asPod = (object: unknown) => object as Pod;

/** Puts what `apply` makes of the request into `object` itself. */
function replace(
  object: Draft<UnstructuredObject>,
  old: UnstructuredObject,
  apply: (requested: Pod, old: Pod) => Draft<Pod>,
): void {
  const { resourceVersion } = object.metadata;
  const result = apply(asPod(object), asPod(old));
  for (const key of Object.keys(object)) delete (object as Record<string, unknown>)[key];
  Object.assign(object, result);
  if (!resourceVersion) delete object.metadata.resourceVersion;
}
