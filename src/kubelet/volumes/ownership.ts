import { chmod, lchown, lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

const READ_WRITE = 0o660;
const READ_ONLY = 0o440;
const EXECUTE = 0o110;
const SETGID = 0o2000;

/**
 * Gives a volume to the pod's fsGroup: the group owns every file and may do what the owner may; directories pass the group
 * on. With the policy OnRootMismatch nothing is touched if the root is right already.
 */
export async function setVolumeOwnership(
  root: string,
  group: number,
  options: { readOnly: boolean; policy?: string },
): Promise<void> {
  const mask = options.readOnly ? READ_ONLY : READ_WRITE;
  if (options.policy === 'OnRootMismatch') {
    const stat = await lstat(root);
    const wanted = mask | EXECUTE | SETGID;
    if (stat.gid === group && (stat.mode & wanted) === wanted) return;
  }
  await own(root, group, mask);
}

async function own(path: string, group: number, mask: number): Promise<void> {
  const stat = await lstat(path);
  await lchown(path, stat.uid, group);
  if (stat.isSymbolicLink()) return;
  const mode = (stat.mode & 0o7777) | mask | (stat.isDirectory() ? SETGID | EXECUTE : 0);
  if (mode !== (stat.mode & 0o7777)) await chmod(path, mode);
  if (stat.isDirectory()) for (const entry of await readdir(path)) await own(join(path, entry), group, mask);
}
