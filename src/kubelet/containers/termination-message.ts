import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { terminationMessagePathOf, terminationMessagePolicyOf } from './container-labels.ts';

const MAX_MESSAGE = 4096;
const MAX_LOG_BYTES = 2048;
const MAX_LOG_LINES = 80;

/**
 * The last words of a container that ended: its termination message file, the tail of its log for FallbackToLogsOnError,
 * or the runtime's own message. At most 4 KiB.
 */
export function terminationMessage(container: RuntimeContainerStatus): string {
  const path = terminationMessagePathOf(container);
  const mount = container.mounts.find(({ containerPath }) => containerPath === path);
  let message = mount ? readTail(mount.hostPath, MAX_MESSAGE) : '';
  if (message === '' && terminationMessagePolicyOf(container) === 'FallbackToLogsOnError' && container.exitCode !== 0) {
    message = logTail(container.logPath);
  }
  if (message === '') return container.message.slice(0, MAX_MESSAGE);
  return container.message ? `${container.message}: ${message}`.slice(0, MAX_MESSAGE) : message;
}

function logTail(path: string): string {
  const lines = readTail(path, MAX_LOG_BYTES * 4).split('\n');
  // CRI log lines: time, stream, F(ull) or P(artial), text.
  const text = lines
    .map((line) => /^\S+ (?:stdout|stderr) [FP] (.*)$/.exec(line)?.[1])
    .filter((line) => line !== undefined);
  return text
    .slice(-MAX_LOG_LINES)
    .map((line) => `${line}\n`)
    .join('')
    .slice(-MAX_LOG_BYTES);
}

/** Small and rare, so it may block: it is read once per end of a container. */
function readTail(path: string, limit: number): string {
  try {
    const file = openSync(path, 'r');
    try {
      const { size } = fstatSync(file);
      const length = Math.min(size, limit);
      const bytes = Buffer.alloc(length);
      return bytes.toString('utf8', 0, readSync(file, bytes, 0, length, size - length));
    } finally {
      closeSync(file);
    }
  } catch {
    return '';
  }
}
