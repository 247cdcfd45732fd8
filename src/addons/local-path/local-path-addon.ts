import { mkdir, rm } from 'node:fs/promises';
import { isAbsolute, join, relative } from 'node:path';
import type { PersistentVolume, PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import type { StorageClass } from '../../api/types/storage.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import type { EventRecorder } from '../../client/event-recorder.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { PersistentVolumeClaims, PersistentVolumes, StorageClasses } from '../../client/resource-types.gen.ts';

export interface LocalPathOptions {
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly recorder: EventRecorder;
  readonly logger: Logger;
  /** Volumes are folders of this node, and only its own does it make and delete. */
  readonly nodeName: string;
  /** Where the folders are; absent with the simulated runtime, which has none. */
  readonly volumesDir: string | undefined;
  /** Claims of classes that bind at once have no node yet; one node takes them. */
  readonly takesUnassigned: boolean;
}

export const PROVISIONER = 'k8ts.dev/local-path';
const CLASS = 'local-path';
const DEFAULT_CLASS = 'storageclass.kubernetes.io/is-default-class';
const SELECTED_NODE = 'volume.kubernetes.io/selected-node';
const PROVISIONED_BY = 'pv.kubernetes.io/provisioned-by';
const RETRY_MS = 5_000;

/** Volumes of the default StorageClass: folders of the node on which their first pod runs. */
export function createLocalPathAddon(options: LocalPathOptions): { start(): Promise<void>; stop(): Promise<void> } {
  const { client, informers, nodeName, logger, recorder } = options;
  const claims = informers.informer(PersistentVolumeClaims);
  const volumes = informers.informer(PersistentVolumes);
  const classes = informers.informer(StorageClasses);
  const busy = new Set<string>();
  const timers = new Set<NodeJS.Timeout>();
  let removeHandlers: (() => void)[] = [];
  let stopped = false;

  /** One run at a time per object; a failed one is tried again later. */
  const work = (key: string, run: () => Promise<void>) => {
    if (busy.has(key) || stopped) return;
    busy.add(key);
    run()
      .catch((error) => {
        logger.warn({ err: error, key }, 'a local volume was not handled; trying again');
        const timer = setTimeout(() => {
          timers.delete(timer);
          work(key, run);
        }, RETRY_MS);
        timers.add(timer);
      })
      .finally(() => busy.delete(key));
  };

  const onClaim = (claim: PersistentVolumeClaim) => {
    if (claim.spec.volumeName || claim.metadata.deletionTimestamp || !claim.spec.storageClassName) return;
    const storageClass = classes.get(claim.spec.storageClassName);
    if (storageClass?.provisioner !== PROVISIONER) return;
    const selected = claim.metadata.annotations?.[SELECTED_NODE];
    const mine = selected
      ? selected === nodeName
      : storageClass.volumeBindingMode !== 'WaitForFirstConsumer' && options.takesUnassigned;
    if (mine) work(`claim/${claim.metadata.uid}`, () => provision(claim, storageClass));
  };

  const provision = async (claim: PersistentVolumeClaim, storageClass: StorageClass) => {
    const { namespace, name } = claim.metadata;
    if (claims.get(`${namespace}/${name}`)?.spec.volumeName) return;
    if (claim.spec.volumeMode === 'Block') {
      recorder.event(
        claim,
        'Warning',
        'ProvisioningFailed',
        `${PROVISIONER} makes folders: volumeMode Block is not possible`,
      );
      return;
    }
    const volume = volumeFor(claim, storageClass, options);
    if (options.volumesDir) await mkdir(volume.spec.local!.path, { recursive: true, mode: 0o777 });
    await client
      .for(PersistentVolumes)
      .create(volume)
      .catch((error) => {
        if (!isStatusError(error, 'AlreadyExists')) throw error;
      });
    recorder.event(claim, 'Normal', 'ProvisioningSucceeded', `Successfully provisioned volume ${volume.metadata.name}`);
  };

  const onVolume = (volume: PersistentVolume) => {
    if (volume.status?.phase !== 'Released' || volume.spec.persistentVolumeReclaimPolicy !== 'Delete') return;
    if (volume.metadata.annotations?.[PROVISIONED_BY] !== PROVISIONER || nodeOf(volume) !== nodeName) return;
    work(`volume/${volume.metadata.uid}`, async () => {
      const path = volume.spec.local?.path;
      if (options.volumesDir && path && isInside(options.volumesDir, path))
        await rm(path, { recursive: true, force: true });
      await client
        .for(PersistentVolumes)
        .delete({ name: volume.metadata.name })
        .catch((error) => {
          if (!isStatusError(error, 'NotFound')) throw error;
        });
    });
  };

  return {
    async start() {
      informers.start();
      await informers.whenSynced();
      removeHandlers = [
        claims.addHandler({ onAdd: onClaim, onUpdate: onClaim }),
        volumes.addHandler({ onAdd: onVolume, onUpdate: onVolume }),
        classes.addHandler({ onAdd: () => claims.list().forEach(onClaim) }),
      ];
    },
    async stop() {
      stopped = true;
      for (const remove of removeHandlers) remove();
      for (const timer of timers) clearTimeout(timer);
    },
  };
}

function volumeFor(claim: PersistentVolumeClaim, storageClass: StorageClass, options: LocalPathOptions) {
  const { namespace, name, uid } = claim.metadata;
  const volumeName = `pvc-${uid}`;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolume',
    metadata: { name: volumeName, annotations: { [PROVISIONED_BY]: PROVISIONER } },
    spec: {
      capacity: { storage: claim.spec.resources?.requests?.storage ?? '1Gi' },
      accessModes: claim.spec.accessModes ?? ['ReadWriteOnce'],
      volumeMode: 'Filesystem',
      persistentVolumeReclaimPolicy: storageClass.reclaimPolicy ?? 'Delete',
      storageClassName: storageClass.metadata.name,
      local: { path: join(options.volumesDir ?? '/simulated', `${volumeName}_${namespace}_${name}`) },
      claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid },
      nodeAffinity: {
        required: {
          nodeSelectorTerms: [
            { matchExpressions: [{ key: 'kubernetes.io/hostname', operator: 'In', values: [options.nodeName] }] },
          ],
        },
      },
    },
  };
}

function nodeOf(volume: PersistentVolume): string | undefined {
  return volume.spec.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.[0]?.values?.[0];
}

/** A volume's path is data that users can write: nothing outside of the volumes' folder is ever deleted. */
function isInside(folder: string, path: string): boolean {
  const way = relative(folder, path);
  return way !== '' && !way.startsWith('..') && !isAbsolute(way);
}

/** Makes it the default, unless there is one of this name. */
export async function publishLocalPathClass(client: Client): Promise<void> {
  await client
    .for(StorageClasses)
    .create({
      apiVersion: 'storage.k8s.io/v1',
      kind: 'StorageClass',
      metadata: { name: CLASS, annotations: { [DEFAULT_CLASS]: 'true' } },
      provisioner: PROVISIONER,
      reclaimPolicy: 'Delete',
      volumeBindingMode: 'WaitForFirstConsumer',
    })
    .catch((error) => {
      if (!isStatusError(error, 'AlreadyExists')) throw error;
    });
}
