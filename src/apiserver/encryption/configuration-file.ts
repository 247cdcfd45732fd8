import { type FSWatcher, watch } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { type EncryptionConfiguration, readEncryptionConfiguration } from './encryption-configuration.ts';

/** Changes that no notification came for are seen this late. */
const POLL_MS = 60_000;
/** A file is written in steps. */
const SETTLE_MS = 200;

export interface ReadConfiguration {
  readonly text: string;
  readonly configuration: EncryptionConfiguration;
}

/** Throws CodedError INVALID_ENCRYPTION_CONFIG with file, field and cause. */
export async function readConfigurationFile(path: string): Promise<ReadConfiguration> {
  try {
    const text = await readFile(path, 'utf8');
    return { text, configuration: readEncryptionConfiguration(await parseYaml(text)) };
  } catch (cause) {
    throw new CodedError(
      'INVALID_ENCRYPTION_CONFIG',
      `the encryption configuration ${path} can't be used: ${(cause as Error).message}`,
      'Correct the file; its format is EncryptionConfiguration of apiserver.config.k8s.io/v1.',
      { cause },
    );
  }
}

/** Its own messages show lines of the file, which hold keys: none of them is passed on. */
async function parseYaml(text: string): Promise<unknown> {
  const { parseDocument } = await import('yaml');
  const document = parseDocument(text, { prettyErrors: false });
  const [error] = document.errors;
  if (!error) return document.toJS();
  throw new Error(`line ${text.slice(0, error.pos[0]).split('\n').length}: it is no YAML (${error.code})`);
}

/**
 * Follows the file from `text` on and hands over what it holds after each change. What can't be read or used is logged, and
 * tried again later; what was there before stays. The result ends it.
 */
export function followConfigurationFile(
  path: string,
  text: string,
  logger: Logger,
  use: (configuration: EncryptionConfiguration) => Promise<void>,
): () => void {
  let current = text;
  let running = false;
  let soon: NodeJS.Timeout | undefined;
  let watcher: FSWatcher | undefined;
  const look = async () => {
    if (running) return later();
    running = true;
    try {
      const read = await readConfigurationFile(path);
      if (read.text === current) return;
      await use(read.configuration);
      current = read.text;
      logger.info({ file: path }, 'the new encryption configuration is in force');
    } catch (error) {
      logger.error(
        { err: error, file: path },
        'the new encryption configuration was refused, the old one stays in force',
      );
    } finally {
      running = false;
    }
  };
  const later = () => {
    clearTimeout(soon);
    soon = setTimeout(look, SETTLE_MS);
  };
  try {
    // The directory: mounted files are replaced, not written.
    watcher = watch(dirname(path), later);
    watcher.on('error', () => watcher?.close());
  } catch {
    // the poll is left
  }
  const poll = setInterval(look, POLL_MS);
  poll.unref();
  watcher?.unref();
  return () => {
    clearTimeout(soon);
    clearInterval(poll);
    watcher?.close();
  };
}
