import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import { findContainerd } from '../kubelet/runtime/containerd/containerd.ts';
import { loadImageArchives } from '../kubelet/runtime/images/load-archives.ts';

/** Data directories of a cluster's nodes: its own, and those of the nodes beside the first. */
export function nodeDataDirs(dataDir: string): string[] {
  let others: string[] = [];
  try {
    others = readdirSync(join(dataDir, 'nodes')).map((name) => join(dataDir, 'nodes', name));
  } catch {
    // one node only
  }
  return [dataDir, ...others];
}

/** Loads OCI and docker archives into every node of this machine's cluster; returns the names they brought. */
export async function loadImages(dataDir: string, files: readonly string[]): Promise<string[]> {
  const names = new Set<string>();
  let nodes = 0;
  for (const dir of nodeDataDirs(dataDir)) {
    const containerd = await findContainerd(dir);
    if (!containerd) continue;
    nodes++;
    for (const name of await loadImageArchives(containerd.endpoint, files)) names.add(name);
  }
  if (nodes === 0)
    throw new CodedError(
      'NO_CONTAINERD',
      `no containerd of a cluster runs with the data directory ${dataDir}`,
      'Start the cluster first (`k8ts up`), or name its --data-dir.',
    );
  return [...names];
}
