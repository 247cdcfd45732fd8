import { apiVersionOf, controllerOf, type KubeObject, objectKey, parseApiVersion } from '../../apimachinery/meta.ts';
import type { ResourceType } from '../../client/client.ts';
import type { ControllerContext, ObjectChange, Watch, WatchOptions } from './controller.ts';

/**
 * Says that a controller depends on a resource. Without options the changed object's own key is queued; `ownedBy` queues
 * its owner's, `keys` whatever it returns.
 */
export function watch<T extends KubeObject>(type: ResourceType<T>, options: WatchOptions<T> = {}): Watch {
  const { namespace, fieldSelector, labelSelector, observe, when } = options;
  const keys = options.keys ?? (options.ownedBy ? ownerKeys(options.ownedBy) : ownKey);

  function keysOf(change: ObjectChange<T>, context: ControllerContext): readonly string[] {
    observe?.(change, context);
    if (when && !when(change)) return [];
    const current = keys(change.object, context);
    return change.old ? [...keys(change.old, context), ...current] : current;
  }

  return {
    type: type as unknown as ResourceType,
    selector: { namespace, fieldSelector, labelSelector },
    indexes: (options.indexes ?? {}) as Watch['indexes'],
    keysOf: keysOf as unknown as Watch['keysOf'],
  };
}

const ownKey = (object: KubeObject): readonly string[] => [objectKey(object)];

function ownerKeys(owner: ResourceType<KubeObject>) {
  return (object: KubeObject): readonly string[] => {
    const reference = controllerOf(object);
    if (!reference || reference.kind !== owner.kind || parseApiVersion(reference.apiVersion).group !== owner.group)
      return [];
    const { namespace } = object.metadata;
    return [owner.namespaced && namespace ? `${namespace}/${reference.name}` : reference.name];
  };
}

/** An index function by the uid of the controlling owner; objects without one are under the empty string. */
export function byControllerUid(object: KubeObject): readonly string[] {
  return [controllerOf(object)?.uid ?? ''];
}

/** The `OwnerReference` by which `owner` controls another object. */
export function controllerReference(owner: KubeObject, type: ResourceType<KubeObject>) {
  return {
    apiVersion: apiVersionOf(type.group, type.version),
    kind: type.kind,
    name: owner.metadata.name,
    uid: owner.metadata.uid ?? '',
    controller: true,
    blockOwnerDeletion: true,
  };
}
