import { accessSync, constants, mkdirSync } from 'node:fs';
import { CodedError } from '../apimachinery/coded-error.ts';
import { isRunning, readRunState } from './run-state.ts';

/**
 * Makes the data directory (0700) and takes it for this process. Throws CodedError when it can't be written or another
 * k8ts runs with it.
 */
export function claimDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    accessSync(dataDir, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? String(cause);
    throw new CodedError(
      'DATA_DIR_NOT_WRITABLE',
      `the data directory ${dataDir} can't be written (${reason})`,
      'Choose another with --data-dir, or run as a user who may write it.',
      { cause },
    );
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
