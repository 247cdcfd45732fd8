import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { dirname, join } from 'node:path';

export interface PayloadFile {
  readonly data: Uint8Array;
  readonly mode: number;
  readonly uid?: number;
}

/** Files by path below the volume's root. */
export type Payload = ReadonlyMap<string, PayloadFile>;

const DATA = '..data';
const NEW_DATA = '..data_tmp';

/**
 * Writes a volume's files so that readers see either all old or all new ones: the files lie in a directory with a time for
 * its name, `..data` links to it, and each top-level name links into `..data`. Returns whether anything changed.
 */
export async function writeAtomically(
  root: string,
  payload: Payload,
  prepare: (directory: string) => Promise<void> = async () => {},
): Promise<boolean> {
  for (const path of payload.keys()) checkPath(path);
  await mkdir(root, { recursive: true });
  const current = await readlink(join(root, DATA)).catch(() => undefined);
  const tops = new Set([...payload.keys()].map((path) => path.split('/')[0] as string));
  if (current !== undefined && (await sameFiles(join(root, current), payload))) {
    await linkTops(root, tops);
    return false;
  }
  const name = await makeTimedDirectory(root);
  const directory = join(root, name);
  try {
    for (const [path, file] of payload) {
      const target = join(directory, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o755 });
      await writeFile(target, file.data, { mode: file.mode });
      await chmod(target, file.mode); // writeFile's mode goes through the umask
      if (file.uid !== undefined) await chown(target, file.uid, -1);
    }
    await prepare(directory);
    await rm(join(root, NEW_DATA), { force: true });
    await symlink(name, join(root, NEW_DATA));
    await rename(join(root, NEW_DATA), join(root, DATA));
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
  await linkTops(root, tops);
  for (const entry of await readdir(root)) {
    if (entry === DATA || entry === name || tops.has(entry)) continue;
    if (entry.startsWith('..')) await rm(join(root, entry), { recursive: true, force: true });
    else await unlink(join(root, entry)).catch(() => {});
  }
  return true;
}

async function linkTops(root: string, tops: ReadonlySet<string>): Promise<void> {
  for (const top of tops) {
    const path = join(root, top);
    const existing = await readlink(path).catch(() => undefined);
    if (existing !== join(DATA, top)) {
      await rm(path, { recursive: true, force: true });
      await symlink(join(DATA, top), path);
    }
  }
}

async function makeTimedDirectory(root: string): Promise<string> {
  const stamp = new Date().toISOString().slice(0, 19).replaceAll(/[-T:]/g, '_');
  for (;;) {
    const name = `..${stamp}.${Math.floor(Math.random() * 1e9)}`;
    try {
      await mkdir(join(root, name), { mode: 0o755 });
      await chmod(join(root, name), 0o755);
      return name;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
  }
}

async function sameFiles(directory: string, payload: Payload): Promise<boolean> {
  const found: string[] = [];
  const walk = async (relative: string): Promise<void> => {
    for (const entry of await readdir(join(directory, relative), { withFileTypes: true })) {
      const path = relative ? `${relative}/${entry.name}` : entry.name;
      if (entry.isDirectory()) await walk(path);
      else found.push(path);
    }
  };
  try {
    await walk('');
    if (found.length !== payload.size) return false;
    for (const path of found) {
      const file = payload.get(path);
      if (!file) return false;
      const stat = await lstat(join(directory, path));
      if (stat.size !== file.data.byteLength || (file.uid !== undefined && stat.uid !== file.uid)) return false;
      if (!(await readFile(join(directory, path))).equals(file.data)) return false;
    }
    return true;
  } catch {
    return false;
  }
}

function checkPath(path: string): void {
  const segments = path.split('/');
  if (path === '' || path.startsWith('/') || segments.includes('..') || path.startsWith('..'))
    throw new Error(`invalid path: ${path}`);
}
