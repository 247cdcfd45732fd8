import { mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { testImages } from './images.ts';
import { clusterDown, clusterUp, k8ts, noContainers, type RunningCluster } from './k8ts.ts';
import { root } from './tools.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** The cluster with real containers that most scenarios share; undefined where none can run. */
    cluster: RunningCluster | undefined;
    noContainers: string | undefined;
  }
}

/** Boots the shared cluster before the first scenario, and takes it down after the last. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  const reason = noContainers();
  project.provide('noContainers', reason);
  if (reason) {
    project.provide('cluster', undefined);
    return undefined;
  }
  const dataDir = mkdtempSync(join(tmpdir(), 'k8ts-e2e-'));
  const images = await testImages();
  const cluster = await clusterUp(dataDir, ['--plugins', join(root, 'examples')]);
  const loaded = await k8ts(['image', 'load', '--data-dir', dataDir, ...images]);
  if (loaded.code !== 0) throw new Error(`k8ts image load failed:\n${loaded.stderr}`);
  project.provide('cluster', cluster);
  return () => clusterDown(dataDir);
}
