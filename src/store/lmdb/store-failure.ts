import { statfs } from 'node:fs/promises';
import { CodedError } from '../../apimachinery/coded-error.ts';

const DISK_FULL = new Set(['ENOSPC', 'EDQUOT', 28, 122]);

/** What LMDB makes of a write that was cut short, which is how most disks begin to be full. */
const EIO = 5;
const LITTLE_SPACE = 2 * 1024 * 1024;

export function corruptStore(path: string, why: string, cause?: unknown): CodedError {
  return new CodedError(
    'DATASTORE_CORRUPT',
    `the datastore ${path} is damaged: ${why}`,
    'Restore it from a backup, or move it away to start with an empty cluster; check the disk it is on.',
    { cause },
  );
}

/** What a commit that was not done rejects with. */
export async function writeFailure(path: string, error: unknown): Promise<CodedError> {
  // lmdb's rejection carries the true cause as a promise that rejects a little later.
  const { commitError } = error as { commitError?: Promise<unknown> };
  const late = new Promise((resolve) => setTimeout(resolve, 1000).unref());
  const cause = commitError ? ((await Promise.race([commitError.catch((reason) => reason), late])) ?? error) : error;
  const { code, message } = cause as { code?: string | number; message?: string };
  if ((code !== undefined && DISK_FULL.has(code)) || (code === EIO && (await isFull(path))))
    return new CodedError(
      'DATASTORE_DISK_FULL',
      `the datastore ${path} can't be written: no space is left on its disk`,
      'Free space on the disk; writes succeed again as soon as there is some.',
      { cause },
    );
  return new CodedError(
    'DATASTORE_WRITE_FAILED',
    `the datastore ${path} can't be written: ${message ?? String(cause)}`,
    'Check the disk it is on.',
    { cause },
  );
}

async function isFull(path: string): Promise<boolean> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize < LITTLE_SPACE;
  } catch {
    return false;
  }
}
