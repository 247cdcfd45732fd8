import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mergeKubeconfig, removeFromKubeconfig } from './kubeconfig.ts';

const CONTEXT = 'k8ts';

interface Merged {
  readonly file: string;
  /** Tells this cluster's context from another's that took its name since. */
  readonly server: string;
}

const fileOf = (dataDir: string) => join(dataDir, 'merged-kubeconfig');

/** Adds the context `k8ts` to the user's kubeconfig, and remembers where. Returns the file. */
export function mergeIntoUserKubeconfig(dataDir: string, kubeconfig: string, server: string): string {
  const file = mergeKubeconfig({ kubeconfig, context: CONTEXT });
  writeFileSync(fileOf(dataDir), `${JSON.stringify({ file, server } satisfies Merged)}\n`, { mode: 0o600 });
  return file;
}

/** Takes the context out again, if it is still this cluster's. A file that can't be read or written is left alone. */
export function forgetMergedKubeconfig(dataDir: string): void {
  if (!existsSync(fileOf(dataDir))) return;
  try {
    const { file, server } = JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as Merged;
    removeFromKubeconfig({ context: CONTEXT, file, server });
  } catch {
    // a dead context harms nobody
  }
}
