import { createHash } from 'node:crypto';

/** Tells this node's pods and cgroups from those of other clusters on the host. A node with real containers has a data directory of its own. */
export function kubeletInstance(dataDir: string | undefined, nodeName = ''): string {
  return createHash('sha256')
    .update(dataDir ?? `\0${nodeName}`)
    .digest('hex')
    .slice(0, 12);
}

/** Of all pods of the node, below the mount point of cgroups. */
export const cgroupRoot = (instance: string): string => `/k8ts-${instance}`;
