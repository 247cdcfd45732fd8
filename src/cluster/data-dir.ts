import { accessSync, constants, existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import { isRunning, readRunState } from './run-state.ts';

/** Tells that nothing but a cluster's was ever in the directory: all of it may be deleted. */
const OWN_MARK = '.k8ts';
/** What a cluster keeps in its data directory, for one that had other files before. */
const OWN_ENTRIES = [
  'address-ranges',
  'cni',
  'containerd',
  'datastore',
  'join-token',
  'kubeconfig',
  'kubelet',
  'logs',
  'merged-kubeconfig',
  'nodes',
  'pki',
  'plugins',
  'run.json',
  'volumes',
];
const PROBE_BYTES = 64 * 1024;

/**
 * Makes the data directory (0700) and takes it for this process. Throws CodedError when it can't be written or another
 * k8ts runs with it.
 */
export function claimDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
    if (readdirSync(dataDir).length === 0) writeFileSync(join(dataDir, OWN_MARK), '', { mode: 0o600 });
    const probe = join(dataDir, `.probe-${process.pid}`);
    try {
      writeFileSync(probe, Buffer.alloc(PROBE_BYTES), { mode: 0o600 });
    } finally {
      rmSync(probe, { force: true });
    }
  } catch (cause) {
    throw notWritable(dataDir, cause as NodeJS.ErrnoException);
  }
  const other = readRunState(dataDir);
  if (other && other.pid !== process.pid && !other.failure && isRunning(other)) {
    throw new CodedError(
      'ALREADY_RUNNING',
      `a cluster with the data directory ${dataDir} is running already (process ${other.pid})`,
      'Stop it with `k8ts down`, or choose another directory with --data-dir.',
    );
  }
}

/** Deletes what a cluster kept; files that were in the directory before it stay, and the directory with them. */
export function deleteDataDir(dataDir: string): void {
  if (existsSync(join(dataDir, OWN_MARK))) {
    rmSync(dataDir, { recursive: true, force: true });
    return;
  }
  for (const entry of OWN_ENTRIES) rmSync(join(dataDir, entry), { recursive: true, force: true });
  try {
    rmdirSync(dataDir);
  } catch {
    // it is not there, or holds somebody else's files
  }
}

function notWritable(dataDir: string, cause: NodeJS.ErrnoException): CodedError {
  const { code } = cause;
  if (code === 'ENOSPC' || code === 'EDQUOT')
    return new CodedError(
      'DISK_FULL',
      `no space is left on the disk of the data directory ${dataDir}`,
      'Free space there, or choose another with --data-dir.',
      { cause },
    );
  const inTheWay = code === 'EEXIST' || code === 'ENOTDIR';
  return new CodedError(
    'DATA_DIR_NOT_WRITABLE',
    `the data directory ${dataDir} can't be ${inTheWay ? 'made: a file is in its way' : `written (${code ?? String(cause)})`}`,
    inTheWay
      ? 'Move the file away, or choose another with --data-dir.'
      : 'Choose another with --data-dir, or run as a user who may write it.',
    { cause },
  );
}
