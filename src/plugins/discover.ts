import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';

/** A plugin as it lies in the plugins directory, not loaded yet. */
export interface PluginEntry {
  /** File or folder name, the name shown while the plugin's own is not known. */
  readonly label: string;
  /** Shown as source: the file or folder. */
  readonly source: string;
  /** The module to import. */
  readonly file: string;
}

const MODULE = /\.(?:ts|mts|js|mjs)$/;
const INDEX = ['index.ts', 'index.mts', 'index.js', 'index.mjs'];

/**
 * The plugins of a directory: each module file, each folder with an index module, each package by its `main` or `exports`.
 * Other files and folders are passed over. Throws CodedError when the directory can't be read.
 */
export async function discoverPlugins(directory: string): Promise<readonly PluginEntry[]> {
  const root = resolve(directory);
  let names: readonly string[];
  try {
    names = (await readdir(root)).sort();
  } catch (error) {
    throw new CodedError(
      'PLUGINS_UNREADABLE',
      `the plugins directory ${root} can't be read: ${(error as Error).message}`,
      'Name a directory that exists: --plugins DIR.',
      { cause: error },
    );
  }
  const entries = await Promise.all(names.map((name) => entryOf(root, name)));
  return entries.filter((entry) => entry !== undefined);
}

async function entryOf(root: string, name: string): Promise<PluginEntry | undefined> {
  if (name.startsWith('.') || name === 'node_modules') return undefined;
  const path = join(root, name);
  const info = await stat(path).catch(() => undefined);
  if (info?.isFile()) {
    if (!MODULE.test(name) || name.endsWith('.d.ts') || /\.(?:test|spec|config)\./.test(name)) return undefined;
    return { label: basename(name).replace(MODULE, ''), source: path, file: path };
  }
  if (!info?.isDirectory()) return undefined;
  const file = (await packageEntry(path)) ?? (await firstFile(path, INDEX));
  return file ? { label: name, source: path, file } : undefined;
}

async function packageEntry(folder: string): Promise<string | undefined> {
  const text = await readFile(join(folder, 'package.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    const { main, exports } = JSON.parse(text) as { main?: unknown; exports?: unknown };
    const exported = exportedEntry(exports);
    return await firstFile(
      folder,
      [exported, main].filter((entry): entry is string => typeof entry === 'string'),
    );
  } catch {
    return undefined;
  }
}

/** The `.` entry of a package's `exports`, under the conditions that hold for an import. */
function exportedEntry(exports: unknown): unknown {
  if (typeof exports !== 'object' || exports === null) return exports;
  const conditions = exports as Record<string, unknown>;
  return exportedEntry(conditions['.'] ?? conditions.import ?? conditions.node ?? conditions.default);
}

async function firstFile(folder: string, names: readonly string[]): Promise<string | undefined> {
  for (const name of names) {
    const path = join(folder, name);
    if ((await stat(path).catch(() => undefined))?.isFile()) return path;
  }
  return undefined;
}
