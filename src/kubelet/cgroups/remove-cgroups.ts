import { readdirSync } from 'node:fs';
import { readdir, readFile, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

const REMOVE_TIMEOUT_MS = 3000;

/** Removes a cgroup with all below it, children first; what still runs in there is killed. */
export async function removeCgroup(directory: string, deadline = Date.now() + REMOVE_TIMEOUT_MS): Promise<void> {
  for (const entry of await readdir(directory, { withFileTypes: true }).catch(() => [])) {
    if (entry.isDirectory()) await removeCgroup(join(directory, entry.name), deadline);
  }
  for (;;) {
    try {
      await rmdir(directory);
      return;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'ENOENT') return;
      if (Date.now() > deadline) throw error;
      for (const pid of (await readFile(join(directory, 'cgroup.procs'), 'utf8').catch(() => ''))
        .split('\n')
        .filter(Boolean)) {
        try {
          process.kill(Number(pid), 'SIGKILL');
        } catch {
          // it is gone already
        }
      }
      await delay(20);
    }
  }
}

/** Removes `root` (`/k8ts-1a2b`) from every hierarchy it is in; false when it was in none. */
export async function removeCgroupsNamed(root: string, mountPoint = '/sys/fs/cgroup'): Promise<boolean> {
  const name = root.slice(1);
  const candidates = ['.', ...names(mountPoint)].map((hierarchy) => join(mountPoint, hierarchy));
  const found = candidates.filter((hierarchy) => names(hierarchy).includes(name));
  for (const hierarchy of found) await removeCgroup(join(hierarchy, name));
  return found.length > 0;
}

function names(directory: string): string[] {
  try {
    return readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch {
    return [];
  }
}
