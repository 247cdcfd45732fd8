import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** `overlayfs` if an overlay of directories below `root` mounts, else `native`, which copies. */
export async function chooseSnapshotter(root: string): Promise<'overlayfs' | 'native'> {
  await mkdir(root, { recursive: true });
  const directory = await mkdtemp(join(root, '.overlay-'));
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
    string,
  ];
  try {
    await Promise.all([lower, upper, work, merged].map((path) => mkdir(path)));
    await run(
      'mount',
      ['-t', 'overlay', 'overlay', '-o', `lowerdir=${lower},upperdir=${upper},workdir=${work}`, merged],
      { timeout: 5000 },
    );
    await run('umount', [merged], { timeout: 5000 });
    return 'overlayfs';
  } catch {
    return 'native';
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
