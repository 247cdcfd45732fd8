import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';

/** Changes that no notification came for are seen this late. */
const POLL_MS = 60_000;
/** A file is written in steps. */
const SETTLE_MS = 100;

export interface ConfigurationFileOptions {
  readonly path: string;
  /** Of what it holds: `AuthenticationConfiguration`. */
  readonly kind: string;
  /** Of the CodedError that refuses it; ACCESS_CONFIG_INVALID when absent. */
  readonly code?: string;
  /** Whether changes are followed; true when absent. */
  readonly reload?: boolean;
  readonly logger: Logger;
  /** Puts the parsed document to use, whole or not at all: a rejection leaves things as they were. */
  readonly use: (document: unknown) => Promise<void>;
}

/**
 * Puts a file to use, and again whenever it changes. A changed file that can't be used is logged, and what was in force stays
 * so. Throws CodedError with file, field and cause at the first time. The result ends it.
 */
export async function openConfigurationFile(options: ConfigurationFileOptions): Promise<() => void> {
  const { path, kind, logger } = options;
  let current: string | undefined;
  let running = false;
  let stopped = false;
  let soon: NodeJS.Timeout | undefined;

  async function load(): Promise<boolean> {
    try {
      const text = await readFile(path, 'utf8');
      if (text === current || stopped) return false;
      await options.use(await parseYaml(text));
      current = text;
      return true;
    } catch (cause) {
      throw new CodedError(
        options.code ?? 'ACCESS_CONFIG_INVALID',
        `the ${kind} file ${path} can't be used: ${(cause as Error).message}`,
        `Correct the file; its format is ${kind}.`,
        { cause },
      );
    }
  }

  async function look(): Promise<void> {
    if (running) return later();
    running = true;
    try {
      if (await load()) logger.info({ file: path }, `the new ${kind} is in force`);
    } catch (error) {
      logger.error({ err: error, file: path }, `the new ${kind} was refused, the old one stays in force`);
    } finally {
      running = false;
    }
  }

  function later(): void {
    if (stopped) return;
    clearTimeout(soon);
    soon = setTimeout(look, SETTLE_MS);
  }

  await load();
  if (options.reload === false) return () => {};
  let watcher: FSWatcher | undefined;
  try {
    // The directory: mounted files are replaced, not written.
    watcher = watch(dirname(path), later);
    watcher.on('error', () => watcher?.close());
    watcher.unref();
  } catch {
    // the poll is left
  }
  const poll = setInterval(look, POLL_MS);
  poll.unref();
  return () => {
    stopped = true;
    clearTimeout(soon);
    clearInterval(poll);
    watcher?.close();
  };
}

/** What a file of YAML or JSON holds. */
export async function readYamlFile(path: string): Promise<unknown> {
  return parseYaml(await readFile(path, 'utf8'));
}

/** Its own messages show lines of the file, which may hold secrets: none of them is passed on. */
async function parseYaml(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (!error) return document.toJS();
  throw new Error(`line ${text.slice(0, error.pos[0]).split('\n').length}: it is no YAML (${error.code})`);
}
