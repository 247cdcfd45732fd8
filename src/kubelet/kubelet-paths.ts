import { join } from 'node:path';
import type { Pod } from '../api/types/core.v1.gen.ts';

/** Where the kubelet keeps what belongs to pods, below the data directory. */
export interface KubeletPaths {
  readonly root: string;
  readonly podsDir: string;
  /** CRI log files: `<namespace>_<name>_<uid>/<container>/<restarts>.log`. */
  readonly podLogsDir: string;
  readonly seccompDir: string;
  podDir(uid: string): string;
  logDir(pod: Pod): string;
  containerDir(uid: string, container: string): string;
  hostsFile(uid: string): string;
  subPath(uid: string, volume: string, container: string, index: number): string;
}

export function kubeletPaths(dataDir: string): KubeletPaths {
  const root = join(dataDir, 'kubelet');
  const podsDir = join(root, 'pods');
  const podLogsDir = join(dataDir, 'logs', 'pods');
  return {
    root,
    podsDir,
    podLogsDir,
    seccompDir: join(root, 'seccomp'),
    podDir: (uid) => join(podsDir, uid),
    logDir: (pod) =>
      join(podLogsDir, logDirName(pod.metadata.namespace ?? '', pod.metadata.name, pod.metadata.uid ?? '')),
    containerDir: (uid, container) => join(podsDir, uid, 'containers', container),
    hostsFile: (uid) => join(podsDir, uid, 'etc-hosts'),
    subPath: (uid, volume, container, index) => join(podsDir, uid, 'volume-subpaths', volume, container, String(index)),
  };
}

const logDirName = (namespace: string, name: string, uid: string) => `${namespace}_${name}_${uid}`;
export const containerLogPath = (container: string, restartCount: number) => `${container}/${restartCount}.log`;
