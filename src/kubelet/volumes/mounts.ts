import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';

const UNMOUNT_TIMEOUT_MS = 10_000;

/** Mount points at or below `directory`, deepest first. */
export async function mountsBelow(directory: string): Promise<string[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8').catch(() => '');
  const found: string[] = [];
  for (const line of table.split('\n')) {
    const path = unescapeMountPath(line.split(' ')[4] ?? '');
    if (path === directory || path.startsWith(`${directory}/`)) found.push(path);
  }
  // Later mounts lie over earlier ones of the same path, so the table's end comes first.
  return found.reverse().sort((a, b) => b.length - a.length);
}

/** mountinfo writes blanks and backslashes in octal. */
function unescapeMountPath(path: string): string {
  return path.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}

/** Runs mount(8). A failure reads as upstream's: the status, the command, its output. */
export async function mount(
  args: readonly string[],
  options: { timeoutMs?: number; signal?: AbortSignal; beside?: string } = {},
): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    execFile(
      'mount',
      args,
      { timeout: options.timeoutMs ?? 10_000, killSignal: 'SIGKILL', signal: options.signal },
      (error, stdout, stderr) => {
        if (!error) return resolve();
        const code = error.killed ? 'timed out' : `exit status ${error.code ?? 'unknown'}`;
        const output =
          `${stdout}${stderr}`.trim() ||
          (error.killed ? `no answer within ${(options.timeoutMs ?? 10_000) / 1000}s` : error.message);
        reject(
          new Error(
            `mount failed: ${code}\nMounting command: mount\nMounting arguments: ${args.join(' ')}\nOutput: ${output}`,
          ),
        );
      },
    );
  });
}

/** Takes down every mount at or below the directory; a busy one is detached. */
async function unmountBelow(directory: string): Promise<void> {
  for (const path of await mountsBelow(directory)) {
    await unmount(path, []).catch(() => unmount(path, ['-l', '-f']).catch(() => unmount(path, ['-l'])));
  }
}

function unmount(path: string, flags: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(
      'umount',
      [...flags, path],
      { timeout: UNMOUNT_TIMEOUT_MS, killSignal: 'SIGKILL' },
      (error, _stdout, stderr) => {
        if (!error || /not mounted|no mount point/.test(stderr)) resolve();
        else reject(new Error(`Unmounting ${path} failed: ${stderr.trim() || error.message}`));
      },
    );
  });
}

/** Removes a directory of ours with what is mounted below it; never reaches through a mount into someone else's files. */
export async function removeUnmounted(directory: string): Promise<void> {
  await unmountBelow(directory);
  const left = await mountsBelow(directory);
  if (left.length > 0) throw new Error(`${left[0]} is still mounted`);
  await rm(directory, { recursive: true, force: true });
}
