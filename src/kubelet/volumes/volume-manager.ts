import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod, Volume } from '../../api/types/core.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { messageOf } from '../containers/container-error.ts';
import { removeUnmounted } from './mounts.ts';
import { resolveClaim } from './persistent-volume-claim.ts';
import {
  escapeDriverName,
  unescapeDriverName,
  type VolumeContext,
  type VolumeDriver,
  type VolumeSpec,
} from './volume-driver.ts';

export interface MountedVolume {
  readonly name: string;
  readonly driver: string;
  /** What containers get mounted. */
  readonly hostPath: string;
  readonly readOnly: boolean;
}

export type MountedVolumes = ReadonlyMap<string, MountedVolume>;

/** A volume that can't be set up; `retryAt` is when it makes sense to try again. */
export class VolumeError extends Error {
  override readonly name = 'VolumeError';
  readonly retryAt: number;

  constructor(message: string, retryAt: number) {
    super(message);
    this.retryAt = retryAt;
  }
}

export interface VolumeManager {
  /**
   * Sets all volumes of the pod up, or throws VolumeError. Idempotent: later calls bring changed contents in. `onFailure` gets the
   * name of the PersistentVolume if that is known, else the volume's own.
   */
  mount(pod: Pod, onFailure: (volume: string, message: string) => void, signal: AbortSignal): Promise<MountedVolumes>;
  /** Takes the pod's volumes down; nothing of them is left. */
  unmount(podUid: string): Promise<void>;
  /** Pods with volumes on this node, whether they are known or not. */
  podsWithVolumes(): Promise<readonly string[]>;
}

export interface VolumeManagerOptions {
  readonly client: Client;
  /** `<kubelet>/pods`. */
  readonly podsDir: string;
  readonly drivers: readonly VolumeDriver[];
  readonly now?: () => number;
}

interface Failure {
  readonly shown: string;
  readonly message: string;
  readonly delay: number;
  readonly retryAt: number;
}

const FIRST_RETRY_MS = 500;
const LAST_RETRY_MS = 122_000;

export function createVolumeManager({ client, podsDir, drivers, now = Date.now }: VolumeManagerOptions): VolumeManager {
  /** By pod, by volume of the pod; `shown` is the PersistentVolume's name once it is known. */
  const failures = new Map<string, Map<string, Failure>>();
  const mounted = new Map<string, Map<string, MountedVolume>>();
  const volumesDir = (uid: string) => join(podsDir, uid, 'volumes');

  async function specOf(pod: Pod, volume: Volume): Promise<VolumeSpec> {
    if (!volume.persistentVolumeClaim && !volume.ephemeral) return { name: volume.name, volume, readOnly: false };
    return { name: volume.name, volume, ...(await resolveClaim(client, pod, volume)) };
  }

  async function setUp(
    pod: Pod,
    volume: Volume,
    signal: AbortSignal,
    resolved: (name: string) => void,
  ): Promise<MountedVolume> {
    const uid = pod.metadata.uid ?? '';
    const known = mounted.get(uid)?.get(volume.name);
    if (known && !drivers.find(({ name }) => name === known.driver)?.refreshes) return known;
    const spec = await specOf(pod, volume);
    const outerName = spec.persistentVolume?.metadata.name ?? volume.name;
    resolved(outerName);
    const driver = drivers.find((candidate) => candidate.supports(spec));
    if (!driver) throw new Error('no volume plugin matched');
    const path = join(volumesDir(uid), escapeDriverName(driver.name), outerName);
    await mkdir(join(volumesDir(uid), escapeDriverName(driver.name)), { recursive: true, mode: 0o750 });
    const context: VolumeContext = { pod, spec, path, fsGroup: pod.spec.securityContext?.fsGroup, signal };
    const hostPath = await driver.setUp(context);
    return { name: volume.name, driver: driver.name, hostPath, readOnly: spec.readOnly };
  }

  return {
    async mount(pod, onFailure, signal) {
      const uid = pod.metadata.uid ?? '';
      const failed = failures.get(uid) ?? new Map<string, Failure>();
      failures.set(uid, failed);
      const done = mounted.get(uid) ?? new Map<string, MountedVolume>();
      mounted.set(uid, done);
      await Promise.all(
        (pod.spec.volumes ?? []).map(async (volume) => {
          const before = failed.get(volume.name);
          if (before && before.retryAt > now()) return;
          let shown = volume.name;
          try {
            const named = (name: string) => {
              shown = name;
            };
            done.set(volume.name, await setUp(pod, volume, signal, named));
            failed.delete(volume.name);
          } catch (error) {
            const message = messageOf(error);
            const delay = Math.min(before ? before.delay * 2 : FIRST_RETRY_MS, LAST_RETRY_MS);
            if (signal.aborted) return;
            // A volume that is mounted already goes on with what it has; the next refresh tries again.
            if (done.has(volume.name)) return onFailure(shown, message);
            failed.set(volume.name, { shown, delay, retryAt: now() + delay, message });
            onFailure(shown, message);
          }
        }),
      );
      signal.throwIfAborted();
      if (failed.size > 0) {
        const { shown, message } = [...failed.values()][0]!;
        throw new VolumeError(
          `unmounted volumes=[${[...failed.keys()].join(' ')}]: MountVolume.SetUp failed for volume "${shown}" : ${message}`,
          Math.min(...[...failed.values()].map(({ retryAt }) => retryAt)),
        );
      }
      return done;
    },
    async unmount(uid) {
      failures.delete(uid);
      mounted.delete(uid);
      // Subpaths are binds of what the volumes hold, so they go first.
      await removeUnmounted(join(podsDir, uid, 'volume-subpaths'));
      for (const plugin of await directories(volumesDir(uid))) {
        const driver = drivers.find(({ name }) => name === unescapeDriverName(plugin));
        for (const volume of await directories(join(volumesDir(uid), plugin))) {
          const path = join(volumesDir(uid), plugin, volume);
          await (driver ? driver.tearDown(path) : removeUnmounted(path));
        }
        await rm(join(volumesDir(uid), plugin), { recursive: true, force: true });
      }
      await removeUnmounted(volumesDir(uid));
    },
    podsWithVolumes: () => directories(podsDir),
  };
}

async function directories(path: string): Promise<string[]> {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
