import { constants } from 'node:fs';
import { chmod, type FileHandle, lstat, mkdir, open, realpath, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { mount, mountsBelow } from './mounts.ts';

const { O_DIRECTORY, O_NOFOLLOW, O_RDONLY } = constants;
/** Linux' O_PATH: a handle on the place alone; Node has no name for it. */
const O_PATH = 0o10000000;

/**
 * Binds `subPath` of a volume to `target` and returns `target`. A directory that is not there is made. Containers write into
 * volumes, so a path that leads out of the volume through a link is refused, also one that is changed while we look.
 */
export async function bindSubPath(volumePath: string, subPath: string, target: string): Promise<string> {
  if ((await mountsBelow(target)).includes(target)) return target;
  const root = await realpath(volumePath);
  await makeDirectories(root, subPath);
  const source = await realpath(join(root, subPath));
  if (source !== root && !source.startsWith(`${root}/`))
    throw new Error(`subpath "${join(volumePath, subPath)}" not within volume path "${volumePath}"`);
  const handle = await openBelow(root, source.slice(root.length).split('/').filter(Boolean));
  try {
    const { isDirectory } = await handle.stat().then((stat) => ({ isDirectory: stat.isDirectory() }));
    if (isDirectory) await mkdir(target, { recursive: true });
    else {
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, '', { flag: 'a' });
    }
    await mount(['--no-canonicalize', '--bind', `/proc/${process.pid}/fd/${handle.fd}`, target]);
  } finally {
    await handle.close();
  }
  return target;
}

/** Step by step, never through a symbolic link. */
async function openBelow(root: string, segments: readonly string[]): Promise<FileHandle> {
  let handle = await open(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_PATH);
  for (const segment of segments) {
    const parent = handle;
    try {
      handle = await open(`/proc/self/fd/${parent.fd}/${segment}`, O_RDONLY | O_NOFOLLOW | O_PATH);
    } finally {
      await parent.close();
    }
    if ((await handle.stat()).isSymbolicLink()) {
      await handle.close();
      throw new Error('unexpected symlink found in the volume');
    }
  }
  return handle;
}

async function makeDirectories(root: string, subPath: string): Promise<void> {
  let path = root;
  const mode = (await lstat(root)).mode & 0o777;
  for (const segment of subPath.split('/').filter(Boolean)) {
    path = join(path, segment);
    const there = await lstat(path).catch(() => undefined);
    if (there?.isSymbolicLink()) {
      path = await realpath(path);
      if (path !== root && !path.startsWith(`${root}/`))
        throw new Error(`subpath "${subPath}" not within volume path "${root}"`);
    } else if (!there) {
      await mkdir(path);
      await chmod(path, mode);
    }
  }
}
