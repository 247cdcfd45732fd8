import { randomBytes } from 'node:crypto';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Container, Pod, VolumeMount } from '../../api/types/core.v1.gen.ts';
import type { KubeletPaths } from '../kubelet-paths.ts';
import type { RuntimeMount } from '../runtime/sandbox-config.ts';
import { bindSubPath } from '../volumes/sub-path.ts';
import type { MountedVolumes } from '../volumes/volume-manager.ts';
import { expandVariables } from './expansion.ts';

const PROPAGATION: Readonly<Record<string, RuntimeMount['propagation']>> = {
  None: 'PROPAGATION_PRIVATE',
  HostToContainer: 'PROPAGATION_HOST_TO_CONTAINER',
  Bidirectional: 'PROPAGATION_BIDIRECTIONAL',
};

export interface MountOptions {
  readonly paths: KubeletPaths;
  readonly volumes: MountedVolumes;
  readonly environment: ReadonlyMap<string, string>;
  /** The text of /etc/hosts. */
  readonly hosts: string;
}

/** What is mounted into a container: its volumes, /etc/hosts, and the file for its last words. */
export async function containerMounts(pod: Pod, container: Container, options: MountOptions): Promise<RuntimeMount[]> {
  const uid = pod.metadata.uid ?? '';
  const mounts: RuntimeMount[] = [];
  for (const [index, mount] of (container.volumeMounts ?? []).entries()) {
    const volume = options.volumes.get(mount.name);
    if (!volume) throw new Error(`cannot find volume "${mount.name}" to mount into container "${container.name}"`);
    const subPath = subPathOf(mount, options.environment);
    const hostPath = subPath
      ? await bindSubPath(volume.hostPath, subPath, options.paths.subPath(uid, mount.name, container.name, index))
      : volume.hostPath;
    mounts.push({
      containerPath: mount.mountPath.startsWith('/') ? mount.mountPath : `/${mount.mountPath}`,
      hostPath,
      readonly: (mount.readOnly ?? false) || volume.readOnly,
      propagation: PROPAGATION[mount.mountPropagation ?? 'None'] ?? 'PROPAGATION_PRIVATE',
    });
  }
  const taken = new Set(mounts.map(({ containerPath }) => containerPath));
  const plain = (containerPath: string, hostPath: string): RuntimeMount => ({
    containerPath,
    hostPath,
    readonly: false,
    propagation: 'PROPAGATION_PRIVATE',
  });
  if (!taken.has('/etc/hosts')) {
    const file = options.paths.hostsFile(uid);
    await mkdir(options.paths.podDir(uid), { recursive: true, mode: 0o750 });
    await writeFile(file, options.hosts, { mode: 0o644 });
    mounts.push(plain('/etc/hosts', file));
  }
  const messagePath = container.terminationMessagePath || '/dev/termination-log';
  if (!taken.has(messagePath)) {
    const directory = options.paths.containerDir(uid, container.name);
    await mkdir(directory, { recursive: true, mode: 0o750 });
    const file = join(directory, randomBytes(4).toString('hex'));
    await writeFile(file, '');
    // Whatever user the container runs as writes its message here.
    await chmod(file, 0o666);
    mounts.push(plain(messagePath, file));
  }
  return mounts;
}

function subPathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string {
  let path = mount.subPath ?? '';
  if (mount.subPathExpr) {
    path = expandVariables(mount.subPathExpr, (name) => environment.get(name));
    if (/\$\([^)]*\)/.test(path)) throw new Error(`missing value for "${/\$\(([^)]*)\)/.exec(path)?.[1]}"`);
  }
  if (path.startsWith('/')) throw new Error(`error SubPath \`${path}\` must not be an absolute path`);
  if (path.split('/').includes('..')) throw new Error(`unable to provision SubPath \`${path}\`: must not contain '..'`);
  return path;
}
