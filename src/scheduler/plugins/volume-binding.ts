import { nodeSelectorMatches } from '../../api/core/node-selector.ts';
import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '../../api/types/core.v1.gen.ts';
import type { StorageClass } from '../../api/types/storage.v1.gen.ts';
import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { PersistentVolumeClaims, PersistentVolumes } from '../../client/resource-types.gen.ts';
import type { NodeInfo } from '../cache/node-info.ts';
import { type Rejection, reject, type SchedulerPlugin } from '../framework.ts';

const NAME = 'VolumeBinding';
const NO_PROVISIONER = 'kubernetes.io/no-provisioner';
export const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const BIND_TIMEOUT_MS = 600_000;

export interface VolumeBindingOptions {
  readonly client: Client;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
  readonly classes: Informer<StorageClass>;
}

interface ClaimsOfPod {
  readonly bound: readonly PersistentVolume[];
  readonly toBind: readonly { readonly claim: PersistentVolumeClaim; readonly storageClass: StorageClass }[];
  /** The volume chosen per node and claim; a claim without one is to be provisioned. */
  readonly choices: Map<string, Map<string, PersistentVolume>>;
}

/**
 * Volumes decide where a pod can run: bound ones by their node affinity, claims of WaitForFirstConsumer classes by what
 * can be bound or provisioned there. Binding such a claim happens before the pod's.
 */
export function volumeBinding(options: VolumeBindingOptions): SchedulerPlugin {
  /** Volumes given away in this process whose claimRef is not seen yet. */
  const reserved = new Map<string, string>();
  return {
    name: NAME,
    events: ['node-added', 'node-updated', 'claim-changed', 'volume-changed', 'storage-class-changed'],
    preFilter(state, pod) {
      const claims = claimsOf(pod, options);
      if ('reasons' in claims) return { reject: claims };
      state.set(NAME, claims);
      return undefined;
    },
    filter(state, _pod, node) {
      const claims = state.get(NAME) as ClaimsOfPod;
      for (const volume of claims.bound) {
        if (!volumeFitsNode(volume, node.node)) return reject(NAME, 'node(s) had volume node affinity conflict', true);
      }
      const chosen = new Map<string, PersistentVolume>();
      for (const { claim, storageClass } of claims.toBind) {
        const key = keyOf(claim);
        const taken = new Set([...chosen.values()].map((volume) => volume.metadata.name));
        const free = (volume: PersistentVolume) =>
          !taken.has(volume.metadata.name) && (reserved.get(volume.metadata.name) ?? key) === key;
        const volume = smallestFit(options.volumes.list().filter(free), claim, node.node);
        if (volume) chosen.set(key, volume);
        else if (storageClass.provisioner === NO_PROVISIONER)
          return reject(NAME, "node(s) didn't find available persistent volumes to bind", true);
        else if (!topologyAllows(storageClass, node.node))
          return reject(NAME, 'node(s) did not have enough free storage', true);
      }
      if (claims.toBind.length) claims.choices.set(node.name, chosen);
    },
    reserve(state, _pod, node) {
      const claims = state.get(NAME) as ClaimsOfPod;
      for (const [key, volume] of claims.choices.get(node.name) ?? []) reserved.set(volume.metadata.name, key);
      return undefined;
    },
    unreserve(state, _pod, node) {
      const claims = state.get(NAME) as ClaimsOfPod | undefined;
      for (const volume of claims?.choices.get(node.name)?.values() ?? []) reserved.delete(volume.metadata.name);
    },
    async preBind(state, _pod, node, signal) {
      const claims = state.get(NAME) as ClaimsOfPod;
      if (claims.toBind.length === 0) return;
      const chosen = claims.choices.get(node.name) ?? new Map<string, PersistentVolume>();
      for (const { claim } of claims.toBind)
        await requestBinding(options.client, claim, chosen.get(keyOf(claim)), node);
      await allBound(
        options.claims,
        claims.toBind.map(({ claim }) => keyOf(claim)),
        node.name,
        signal,
      );
      for (const volume of chosen.values()) reserved.delete(volume.metadata.name);
    },
  };
}

function claimsOf(pod: Pod, { claims, volumes, classes }: VolumeBindingOptions): ClaimsOfPod | Rejection {
  const bound: PersistentVolume[] = [];
  const toBind: { claim: PersistentVolumeClaim; storageClass: StorageClass }[] = [];
  for (const name of claimNames(pod)) {
    const claim = claims.get(`${pod.metadata.namespace}/${name}`);
    if (!claim) return reject(NAME, `persistentvolumeclaim "${name}" not found`, true);
    if (claim.metadata.deletionTimestamp) return reject(NAME, `persistentvolumeclaim "${name}" is being deleted`, true);
    if (claim.status?.phase === 'Lost')
      return reject(
        NAME,
        `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec.volumeName}"`,
        true,
      );
    if (claim.spec.volumeName) {
      const volume = volumes.get(claim.spec.volumeName);
      if (claim.status?.phase === 'Bound' && volume) bound.push(volume);
      else return reject(NAME, 'pod has unbound immediate PersistentVolumeClaims', true);
      continue;
    }
    const storageClass = claim.spec.storageClassName ? classes.get(claim.spec.storageClassName) : undefined;
    if (storageClass?.volumeBindingMode !== 'WaitForFirstConsumer')
      return reject(NAME, 'pod has unbound immediate PersistentVolumeClaims', true);
    toBind.push({ claim, storageClass });
  }
  return { bound, toBind, choices: new Map() };
}

function claimNames(pod: Pod): string[] {
  const names: string[] = [];
  for (const volume of pod.spec.volumes ?? []) {
    if (volume.persistentVolumeClaim) names.push(volume.persistentVolumeClaim.claimName);
    else if (volume.ephemeral) names.push(`${pod.metadata.name}-${volume.name}`);
  }
  return names;
}

const keyOf = (claim: PersistentVolumeClaim) => `${claim.metadata.namespace}/${claim.metadata.name}`;

function volumeFitsNode(volume: PersistentVolume, node: Node): boolean {
  const required = volume.spec.nodeAffinity?.required;
  return required === undefined || nodeSelectorMatches(required, node);
}

function smallestFit(
  volumes: readonly PersistentVolume[],
  claim: PersistentVolumeClaim,
  node: Node,
): PersistentVolume | undefined {
  const wanted = Quantity.parse(claim.spec.resources?.requests?.storage ?? '0');
  const selector = claim.spec.selector && labelSelectorMatcher(claim.spec.selector);
  const capacity = (volume: PersistentVolume) => Quantity.parse(volume.spec.capacity?.storage ?? '0');
  let best: PersistentVolume | undefined;
  for (const volume of volumes) {
    const reference = volume.spec.claimRef;
    if (reference && !(reference.namespace === claim.metadata.namespace && reference.name === claim.metadata.name))
      continue;
    if (!reference && volume.status?.phase !== 'Available') continue;
    if ((volume.spec.storageClassName ?? '') !== (claim.spec.storageClassName ?? '')) continue;
    if ((volume.spec.volumeMode ?? 'Filesystem') !== (claim.spec.volumeMode ?? 'Filesystem')) continue;
    if (!(claim.spec.accessModes ?? []).every((mode) => volume.spec.accessModes?.includes(mode))) continue;
    if (selector && !selector.matches(volume.metadata.labels)) continue;
    if (capacity(volume).cmp(wanted) < 0 || !volumeFitsNode(volume, node)) continue;
    if (!best || capacity(volume).cmp(capacity(best)) < 0) best = volume;
  }
  return best;
}

function topologyAllows(storageClass: StorageClass, node: Node): boolean {
  const terms = storageClass.allowedTopologies ?? [];
  const labels = node.metadata.labels ?? {};
  return (
    terms.length === 0 ||
    terms.some((term) =>
      (term.matchLabelExpressions ?? []).every(({ key, values }) => values.includes(labels[key] ?? '')),
    )
  );
}

/** Points the chosen volume at the claim, or tells the provisioner for which node to make one; the rest is the controllers'. */
async function requestBinding(
  client: Client,
  claim: PersistentVolumeClaim,
  volume: PersistentVolume | undefined,
  node: NodeInfo,
): Promise<void> {
  const { name, namespace, uid } = claim.metadata;
  if (volume) {
    const claimRef = {
      apiVersion: 'v1',
      kind: 'PersistentVolumeClaim',
      name,
      namespace,
      uid,
      resourceVersion: claim.metadata.resourceVersion,
    };
    await client.for(PersistentVolumes).patch({ name: volume.metadata.name }, 'merge', {
      metadata: { resourceVersion: volume.metadata.resourceVersion },
      spec: { claimRef },
    });
  } else if (claim.metadata.annotations?.[SELECTED_NODE] !== node.name) {
    await client
      .for(PersistentVolumeClaims)
      .patch({ name, namespace: namespace! }, 'merge', { metadata: { annotations: { [SELECTED_NODE]: node.name } } });
  }
}

/** Rejects when a claim vanishes, the provisioner asks for another node by removing the annotation, or time runs out. */
function allBound(
  claims: Informer<PersistentVolumeClaim>,
  keys: readonly string[],
  nodeName: string,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, rejectPromise) => {
    const waiting = new Set(keys);
    const finish = (error?: Error) => {
      clearTimeout(timer);
      remove();
      signal.removeEventListener('abort', onAbort);
      if (error) rejectPromise(error);
      else resolve();
    };
    const onAbort = () => finish(new Error('the scheduler is stopping'));
    const timer = setTimeout(() => finish(new Error('timed out waiting for the condition')), BIND_TIMEOUT_MS);
    let seenSelection = false;
    const check = (claim: PersistentVolumeClaim) => {
      const key = keyOf(claim);
      if (!waiting.has(key)) return;
      const selected = claim.metadata.annotations?.[SELECTED_NODE];
      if (selected === nodeName) seenSelection = true;
      if (claim.status?.phase === 'Bound') waiting.delete(key);
      else if (seenSelection && selected === undefined)
        queueMicrotask(() => finish(new Error(`provisioning failed for PVC "${claim.metadata.name}"`)));
      if (waiting.size === 0) queueMicrotask(() => finish());
    };
    const remove = claims.addHandler({
      onAdd: check,
      onUpdate: check,
      onDelete: (claim) => waiting.has(keyOf(claim)) && finish(new Error(`PVC "${claim.metadata.name}" was deleted`)),
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
