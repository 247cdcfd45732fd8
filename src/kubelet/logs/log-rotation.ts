import { createReadStream, createWriteStream } from 'node:fs';
import { readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from '../../apimachinery/logger.ts';
import { messageOf } from '../containers/container-error.ts';
import type { RuntimeCache } from '../pods/runtime-cache.ts';
import type { Containers } from '../runtime/container-runtime.ts';

const CHECK_MS = 10_000;

export interface LogRotationOptions {
  readonly containers: Containers;
  readonly cache: Pick<RuntimeCache, 'list'>;
  readonly logger: Logger;
  /** 10 MiB when absent. */
  readonly maxBytes?: number;
  /** Of one container, the one it writes included; 5 when absent. */
  readonly maxFiles?: number;
}

/** Keeps the log files of running containers within bounds. Rotated files are `<restarts>.log.<time>`, older ones gzipped. */
export function createLogRotation({
  containers,
  cache,
  logger,
  maxBytes = 10 * 1024 * 1024,
  maxFiles = 5,
}: LogRotationOptions) {
  let timer: NodeJS.Timeout | undefined;
  let stopped = false;

  async function rotate(id: string, path: string): Promise<void> {
    const directory = dirname(path);
    const name = basename(path);
    const files = await readdir(directory);
    const rotated = files.filter((file) => file.startsWith(`${name}.`) && !file.endsWith('.tmp')).sort();
    const excess = rotated.length - (maxFiles - 2);
    for (const file of rotated.slice(0, Math.max(0, excess))) await rm(join(directory, file), { force: true });
    for (const file of rotated.slice(Math.max(0, excess)))
      if (!file.endsWith('.gz')) await compress(join(directory, file));
    const target = `${path}.${new Date().toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
    await rename(path, target);
    try {
      await containers.reopenLog(id);
    } catch (error) {
      // The container goes on writing the renamed file: give it its name back.
      await rename(target, path).catch(() => {});
      throw error;
    }
  }

  async function compress(file: string): Promise<void> {
    const temporary = `${file}.tmp`;
    await pipeline(createReadStream(file), createGzip(), createWriteStream(temporary));
    await rename(temporary, `${file}.gz`);
    await rm(file);
  }

  async function check(): Promise<void> {
    for (const { containers: list } of cache.list()) {
      for (const { id, state, logPath } of list) {
        if (state !== 'running' || !logPath) continue;
        const size = await stat(logPath).then(
          (found) => found.size,
          () => 0,
        );
        if (size < maxBytes) continue;
        await rotate(id, logPath).catch((error) =>
          logger.warn({ error: messageOf(error), file: logPath }, 'a container log could not be rotated'),
        );
      }
    }
  }

  function schedule(): void {
    timer = setTimeout(() => void check().finally(() => !stopped && schedule()), CHECK_MS);
    timer.unref();
  }

  return {
    start: schedule,
    check,
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}
