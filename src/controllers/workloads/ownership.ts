import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import { controllerOf, type KubeObject, type LabelSelector } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ResourceType } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { type ControllerContext, controllerReference } from '../runtime/index.ts';

export const BY_CONTROLLER = 'controller-uid';

export interface ClaimOptions<T extends KubeObject> {
  readonly owner: KubeObject;
  readonly ownerType: ResourceType<KubeObject>;
  readonly selector: LabelSelector | undefined;
  /** Of the objects to claim; needs the index BY_CONTROLLER. */
  readonly informer: Informer<T>;
  /** An orphan that is not worth adopting. */
  readonly ignore?: (object: T) => boolean;
  /** Given to what is adopted, taken from what is released. */
  readonly finalizers?: readonly string[];
}

/**
 * The objects an owner controls: adopts matching orphans, releases its own that no longer match. The returned list holds
 * those that are its own by now.
 */
export async function claim<T extends KubeObject>(context: ControllerContext, options: ClaimOptions<T>): Promise<T[]> {
  const { owner, informer, ignore } = options;
  const { uid, namespace, deletionTimestamp } = owner.metadata;
  const selector = labelSelectorMatcher(options.selector);
  const claimed: T[] = [];
  for (const object of informer.byIndex(BY_CONTROLLER, uid!)) {
    if (object.metadata.namespace !== namespace) continue;
    if (selector.matches(object.metadata.labels)) claimed.push(object);
    else if (!deletionTimestamp) await release(context, informer.type, object, uid!, options.finalizers);
  }
  if (deletionTimestamp) return claimed;
  for (const object of informer.byIndex(BY_CONTROLLER, '')) {
    if (object.metadata.namespace !== namespace || object.metadata.deletionTimestamp || ignore?.(object)) continue;
    if (!selector.matches(object.metadata.labels)) continue;
    const adopted = await adopt(context, informer.type, object, options);
    if (adopted) claimed.push(adopted);
  }
  return claimed;
}

async function adopt<T extends KubeObject>(
  context: ControllerContext,
  type: ResourceType<T>,
  object: T,
  { owner, ownerType, finalizers }: ClaimOptions<T>,
): Promise<T | undefined> {
  // The cache may be behind: an owner that is deleted or replaced by now must not adopt.
  const fresh = await context.client
    .for(ownerType)
    .get({ name: owner.metadata.name, ...(owner.metadata.namespace ? { namespace: owner.metadata.namespace } : {}) });
  if (fresh.metadata.uid !== owner.metadata.uid || fresh.metadata.deletionTimestamp) return undefined;
  const { name, namespace, uid } = object.metadata;
  const patch = {
    metadata: { ownerReferences: [controllerReference(owner, ownerType)], uid, ...(finalizers ? { finalizers } : {}) },
  };
  try {
    return await context.client.for(type).patch({ name, namespace: namespace! }, 'strategic', patch);
  } catch (error) {
    if (isStatusError(error, 'NotFound') || isStatusError(error, 'Invalid') || isStatusError(error, 'Conflict'))
      return undefined;
    throw error;
  }
}

async function release<T extends KubeObject>(
  context: ControllerContext,
  type: ResourceType<T>,
  object: T,
  ownerUid: string,
  finalizers?: readonly string[],
): Promise<void> {
  const { name, namespace, uid } = object.metadata;
  const patch = {
    metadata: {
      ownerReferences: [{ $patch: 'delete', uid: ownerUid }],
      uid,
      ...(finalizers ? { '$deleteFromPrimitiveList/finalizers': finalizers } : {}),
    },
  };
  try {
    await context.client.for(type).patch({ name, namespace: namespace! }, 'strategic', patch);
  } catch (error) {
    if (!isStatusError(error, 'NotFound') && !isStatusError(error, 'Invalid')) throw error;
  }
}

/** The keys of owners whose selector matches an orphan: they may want to adopt it. */
export function adopters<T extends KubeObject & { readonly spec: { readonly selector?: unknown } }>(
  owners: Informer<T>,
  object: KubeObject,
  selectorOf: (owner: T) => LabelSelector | undefined,
): string[] {
  if (controllerOf(object)) return [];
  const { namespace, labels } = object.metadata;
  return owners
    .list(namespace)
    .filter((owner) => labelSelectorMatcher(selectorOf(owner)).matches(labels))
    .map((owner) => `${namespace}/${owner.metadata.name}`);
}
