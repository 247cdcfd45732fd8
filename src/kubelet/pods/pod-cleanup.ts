import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { CgroupManager } from '../cgroups/cgroup-manager.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import type { ContainerRuntime, RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { ignoreNotFound } from '../runtime/runtime-error.ts';
import { removeUnmounted } from '../volumes/mounts.ts';
import type { VolumeManager } from '../volumes/volume-manager.ts';
import { findContainer, isActive, type RuntimePod } from './runtime-pod.ts';

export interface PodCleanupOptions {
  readonly runtime: ContainerRuntime;
  readonly volumes: VolumeManager;
  readonly paths: KubeletPaths | undefined;
  readonly cgroups: CgroupManager | undefined;
}

/** Takes away what pods leave: dead containers while they live, everything when they are gone. */
export interface PodCleanup {
  /** Keeps one dead container per name, for its logs and last state, and the newest sandbox. */
  collectGarbage(pod: RuntimePod): Promise<void>;
  /** Volumes and cgroup of a pod whose containers have ended. */
  releaseResources(uid: string): Promise<void>;
  /** Containers, sandboxes, logs and files of a pod that the API server does not know any more. */
  removeTraces(pod: RuntimePod): Promise<void>;
  /** Pods that left files, whether the runtime knows them or not. */
  podsWithTraces(): Promise<readonly string[]>;
}

export function createPodCleanup({ runtime, volumes, paths, cgroups }: PodCleanupOptions): PodCleanup {
  async function removeContainer(container: RuntimeContainerStatus): Promise<void> {
    await ignoreNotFound(runtime.containers.remove(container.id));
    if (!paths || !container.logPath.startsWith(paths.podLogsDir)) return;
    const directory = dirname(container.logPath);
    const name = basename(container.logPath);
    for (const file of await readdir(directory).catch(() => [])) {
      if (file === name || file.startsWith(`${name}.`)) await rm(join(directory, file), { force: true });
    }
  }

  async function removeLogDirectories(uid: string): Promise<void> {
    if (!paths) return;
    for (const name of await readdir(paths.podLogsDir).catch(() => [])) {
      if (name.endsWith(`_${uid}`)) await rm(join(paths.podLogsDir, name), { recursive: true, force: true });
    }
  }

  return {
    async collectGarbage(pod) {
      const dead = new Map<string, number>();
      for (const container of pod.containers) {
        // One that was made but could not be started counts when another followed it.
        const superseded = container.state === 'created' && findContainer(pod, container.name) !== container;
        if (container.state !== 'exited' && !superseded) continue;
        const seen = dead.get(container.name) ?? 0;
        dead.set(container.name, seen + 1);
        if (seen >= 1) await removeContainer(container);
      }
      for (const sandbox of pod.sandboxes.slice(1)) {
        const used = pod.containers.some((container) => container.sandboxId === sandbox.id && isActive(container));
        if (
          sandbox.state === 'notReady' &&
          !used &&
          !pod.containers.some(({ sandboxId }) => sandboxId === sandbox.id)
        ) {
          await ignoreNotFound(runtime.sandboxes.remove(sandbox.id));
        }
      }
    },
    async releaseResources(uid) {
      await volumes.unmount(uid);
      await cgroups?.remove(uid);
    },
    async removeTraces(pod) {
      for (const container of pod.containers) await ignoreNotFound(runtime.containers.remove(container.id));
      for (const sandbox of pod.sandboxes) {
        await ignoreNotFound(runtime.sandboxes.stop(sandbox.id));
        await ignoreNotFound(runtime.sandboxes.remove(sandbox.id));
      }
      await volumes.unmount(pod.uid);
      await cgroups?.remove(pod.uid);
      await removeLogDirectories(pod.uid);
      if (paths) await removeUnmounted(paths.podDir(pod.uid));
    },
    async podsWithTraces() {
      if (!paths) return [];
      const logs = await readdir(paths.podLogsDir).catch(() => [] as string[]);
      const withLogs = logs.map((name) => name.slice(name.lastIndexOf('_') + 1));
      return [...new Set([...(await volumes.podsWithVolumes()), ...withLogs])];
    },
  };
}
