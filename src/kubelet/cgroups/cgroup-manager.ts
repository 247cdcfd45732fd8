import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { cpuShares, podRequestsAndLimits, podResources, qosClassOf } from '../containers/resources.ts';
import { removeCgroup } from './remove-cgroups.ts';

export interface CgroupManager {
  readonly version: 1 | 2;
  /** Of the pod, below the mount point: `/k8ts/kubepods/burstable/pod<uid>`. */
  podCgroup(pod: Pod): string;
  /** Makes the pod's cgroup with its limits. Idempotent. */
  ensure(pod: Pod): Promise<void>;
  /** Kills what is left in it and removes it. */
  remove(podUid: string): Promise<void>;
  /** Shares of the burstable class follow its pods. */
  updateBurstable(pods: readonly Pod[]): Promise<void>;
  /** Removes the whole tree if no pod is left in it. */
  removeRoot(): Promise<void>;
}

const MOUNT = '/sys/fs/cgroup';
const V1_CONTROLLERS = [
  'cpu',
  'cpuacct',
  'cpuset',
  'memory',
  'devices',
  'freezer',
  'blkio',
  'pids',
  'systemd',
  'hugetlb',
  'net_cls',
  'net_prio',
  'perf_event',
];
const V2_CONTROLLERS = ['cpuset', 'cpu', 'io', 'memory', 'hugetlb', 'pids'];

/** `root` keeps clusters on one machine apart: `/k8ts-1a2b`. Version 1 (also hybrid) and 2 of the kernel's interface. */
export function createCgroupManager({
  root,
  logger,
  mountPoint = MOUNT,
}: {
  root: string;
  logger: Logger;
  mountPoint?: string;
}): CgroupManager {
  const version = existsSync(join(mountPoint, 'cgroup.controllers')) ? 2 : 1;
  const hierarchies =
    version === 2
      ? [mountPoint]
      : V1_CONTROLLERS.map((name) => join(mountPoint, name)).filter((path) => existsSync(path));
  const unified = version === 1 && existsSync(join(mountPoint, 'unified')) ? [join(mountPoint, 'unified')] : [];
  const top = `${root}/kubepods`;
  const burstable = `${top}/burstable`;
  const bestEffort = `${top}/besteffort`;
  let prepared: Promise<void> | undefined;

  const classDirectory = (pod: Pod) =>
    ({ Guaranteed: top, Burstable: burstable, BestEffort: bestEffort })[qosClassOf(pod)];
  const podCgroup = (pod: Pod) => `${classDirectory(pod)}/pod${pod.metadata.uid}`;

  async function make(path: string): Promise<void> {
    for (const hierarchy of hierarchies) {
      await mkdir(join(hierarchy, path), { recursive: true });
      if (version === 2) await enableControllers(hierarchy, path);
      else if (hierarchy.endsWith('/cpuset')) await inheritCpuset(hierarchy, path);
    }
  }

  /** Children get controllers only if each cgroup above hands them down. */
  async function enableControllers(hierarchy: string, path: string): Promise<void> {
    let directory = hierarchy;
    for (const segment of ['', ...path.split('/').filter(Boolean)]) {
      directory = join(directory, segment);
      const available = new Set((await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' '));
      for (const controller of V2_CONTROLLERS) {
        if (available.has(controller)) await set(directory, 'cgroup.subtree_control', `+${controller}`);
      }
    }
  }

  /** A v1 cpuset starts empty, and takes no process until it has CPUs and memory nodes. */
  async function inheritCpuset(hierarchy: string, path: string): Promise<void> {
    let directory = hierarchy;
    for (const segment of path.split('/').filter(Boolean)) {
      const parent = directory;
      directory = join(directory, segment);
      for (const file of ['cpuset.cpus', 'cpuset.mems']) {
        const own = (await readFile(join(directory, file), 'utf8').catch(() => '\n')).trim();
        if (own === '') await set(directory, file, (await readFile(join(parent, file), 'utf8').catch(() => '')).trim());
      }
    }
  }

  async function set(directory: string, file: string, value: string): Promise<void> {
    await writeFile(join(directory, file), value).catch((error: Error) => {
      logger.debug({ file: join(directory, file), value, error: error.message }, 'a cgroup value was not taken');
    });
  }

  async function setCpuShares(path: string, shares: number): Promise<void> {
    if (version === 2) await set(join(mountPoint, path), 'cpu.weight', String(cpuWeight(shares)));
    else await set(join(mountPoint, 'cpu', path), 'cpu.shares', String(shares));
  }

  async function prepare(): Promise<void> {
    for (const path of [top, burstable, bestEffort]) await make(path);
    await setCpuShares(bestEffort, cpuShares(0));
  }

  async function setLimits(path: string, pod: Pod): Promise<void> {
    const { cpuShares: shares, cpuQuota, memoryLimit } = podResources(pod);
    await setCpuShares(path, qosClassOf(pod) === 'BestEffort' ? cpuShares(0) : shares);
    if (version === 2) {
      const directory = join(mountPoint, path);
      if (cpuQuota > 0) await set(directory, 'cpu.max', `${cpuQuota} 100000`);
      if (memoryLimit > 0) await set(directory, 'memory.max', String(memoryLimit));
    } else {
      if (cpuQuota > 0) {
        await set(join(mountPoint, 'cpu', path), 'cpu.cfs_period_us', '100000');
        await set(join(mountPoint, 'cpu', path), 'cpu.cfs_quota_us', String(cpuQuota));
      }
      if (memoryLimit > 0) await set(join(mountPoint, 'memory', path), 'memory.limit_in_bytes', String(memoryLimit));
    }
  }

  return {
    version,
    podCgroup,
    async ensure(pod) {
      prepared ??= prepare();
      await prepared;
      const path = podCgroup(pod);
      await make(path);
      await setLimits(path, pod);
    },
    async remove(uid) {
      for (const parent of [top, burstable, bestEffort]) {
        for (const hierarchy of [...hierarchies, ...unified]) await removeCgroup(join(hierarchy, parent, `pod${uid}`));
      }
    },
    async updateBurstable(pods) {
      if (!prepared) return;
      const request = pods
        .filter((pod) => qosClassOf(pod) === 'Burstable')
        .reduce((sum, pod) => sum + podRequestsAndLimits(pod).cpuRequest, 0);
      await setCpuShares(burstable, cpuShares(request));
    },
    async removeRoot() {
      for (const hierarchy of [...hierarchies, ...unified]) {
        for (const path of [burstable, bestEffort, top, root]) await rmdir(join(hierarchy, path)).catch(() => {});
      }
      prepared = undefined;
    },
  };
}

/** cgroup v2's 1 to 10,000 for v1's 2 to 262,144, as runc converts. */
function cpuWeight(shares: number): number {
  return 1 + Math.floor(((shares - 2) * 9999) / 262_142);
}
