import type { Pod } from '../../api/types/core.v1.gen.ts';
import { controllerOf, type OwnerReference, parseApiVersion } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import { discover } from '../../client/discovery.ts';
import { Deployments, ReplicaSets, ReplicationControllers, StatefulSets } from '../../client/resource-types.gen.ts';
import type { ControllerContext } from '../runtime/index.ts';

/** The pods have a controller whose scale is unknown, or none. */
export class ScaleNotFoundError extends Error {
  override readonly name = 'ScaleNotFoundError';
}

interface Found {
  readonly uid: string;
  readonly replicas: number;
}

/** Tells how many pods the controllers of the given pods mean to have together. */
export function createScaleFinder({ informer, client }: ControllerContext): (pods: readonly Pod[]) => Promise<number> {
  const replicaSets = informer(ReplicaSets);
  const deployments = informer(Deployments);
  const statefulSets = informer(StatefulSets);
  const replicationControllers = informer(ReplicationControllers);

  async function find(namespace: string, owner: OwnerReference): Promise<Found | undefined> {
    const key = `${namespace}/${owner.name}`;
    const { group } = parseApiVersion(owner.apiVersion);
    const kind = `${group}/${owner.kind}`;
    if (kind === 'apps/ReplicaSet') {
      const replicaSet = replicaSets.get(key);
      if (!replicaSet || replicaSet.metadata.uid !== owner.uid) return undefined;
      const above = controllerOf(replicaSet);
      if (above?.kind === 'Deployment') {
        const deployment = deployments.get(`${namespace}/${above.name}`);
        if (deployment?.metadata.uid === above.uid) return found(deployment);
      }
      return found(replicaSet);
    }
    const known =
      kind === 'apps/StatefulSet'
        ? statefulSets.get(key)
        : kind === '/ReplicationController'
          ? replicationControllers.get(key)
          : undefined;
    if (known) return known.metadata.uid === owner.uid ? found(known) : undefined;
    return scaleOf(namespace, owner);
  }

  /** Anything else that has a scale subresource, custom resources above all. */
  async function scaleOf(namespace: string, owner: OwnerReference): Promise<Found | undefined> {
    const { group, version } = parseApiVersion(owner.apiVersion);
    const discovery = await discover(client);
    const type = discovery.all.find(
      (entry) => entry.type.group === group && entry.type.version === version && entry.type.kind === owner.kind,
    )?.type;
    if (!type) throw new ScaleNotFoundError(`no resource is served for kind ${owner.kind} in ${owner.apiVersion}`);
    try {
      const scale = await client
        .for(type)
        .getSubresource<{ spec?: { replicas?: number } }>({ namespace, name: owner.name }, 'scale');
      return { uid: owner.uid, replicas: scale.spec?.replicas ?? 0 };
    } catch (error) {
      if (!isStatusError(error)) throw error;
      const resource = group ? `${type.resource}.${group}` : type.resource;
      throw new ScaleNotFoundError(`${resource} does not implement the scale subresource`);
    }
  }

  return async (pods) => {
    const scales = new Map<string, number>();
    for (const pod of pods) {
      const owner = controllerOf(pod);
      // A pod on its own has no scale; it neither adds to what is expected nor hinders.
      if (!owner || scales.has(owner.uid)) continue;
      const scale = await find(pod.metadata.namespace ?? '', owner);
      if (!scale) throw new ScaleNotFoundError(`found no controllers for pod "${pod.metadata.name}"`);
      scales.set(owner.uid, 0);
      scales.set(scale.uid, scale.replicas);
    }
    return [...scales.values()].reduce((sum, replicas) => sum + replicas, 0);
  };
}

function found(object: { metadata: { uid?: string }; spec?: { replicas?: number } }): Found {
  return { uid: object.metadata.uid ?? '', replicas: object.spec?.replicas ?? 1 };
}
