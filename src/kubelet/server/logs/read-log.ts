import { type FileHandle, open, stat } from 'node:fs/promises';
import { Changes } from './changes.ts';
import { LineFilter } from './line-filter.ts';
import type { LogOptions } from './log-options.ts';
import { tailStart } from './tail-start.ts';

export interface LogSource {
  /** Of the file that the container writes; rotation renames it and puts a new one there. */
  readonly path: string;
  /** Whether the container may still write. */
  running(): boolean;
}

const CHUNK_BYTES = 64 * 1024;

/**
 * Hands the wanted part of a log to `write`, one chunk after the other, and resolves at its end: of the file, or with
 * `follow` of the container. Rejects when the file cannot be opened.
 */
export async function readLog(
  source: LogSource,
  options: LogOptions,
  signal: AbortSignal,
  write: (chunk: Buffer) => Promise<void> | void,
): Promise<void> {
  let file = await open(source.path);
  const changes = options.follow ? new Changes(source.path, signal) : undefined;
  try {
    const size = (await file.stat()).size;
    let position = options.tailLines === undefined ? 0 : await tailStart(file, size, options.tailLines);
    const lines = new LineFilter(options);
    while (!signal.aborted && !lines.done) {
      const running = source.running();
      position = await drain(file, position, lines, signal, write);
      if (!changes || lines.done) return;
      const next = await successor(source.path, file);
      if (next) {
        // What was written between the last read and the renaming.
        await drain(file, position, lines, signal, write);
        await file.close();
        file = next;
        position = 0;
        lines.startFile();
        continue;
      }
      if (!running) return;
      await changes.next();
    }
  } finally {
    changes?.stop();
    await file.close();
  }
}

async function drain(
  file: FileHandle,
  from: number,
  lines: LineFilter,
  signal: AbortSignal,
  write: (chunk: Buffer) => Promise<void> | void,
): Promise<number> {
  const buffer = Buffer.allocUnsafe(CHUNK_BYTES);
  for (let position = from; ; ) {
    const { bytesRead } = await file.read(buffer, 0, CHUNK_BYTES, position);
    if (bytesRead === 0) return position;
    position += bytesRead;
    const output = lines.take(buffer.subarray(0, bytesRead));
    if (output.length > 0) await write(output);
    if (lines.done || signal.aborted) return position;
  }
}

/** The file that took the place of the open one, if there is one. */
async function successor(path: string, file: FileHandle): Promise<FileHandle | undefined> {
  const [now, opened] = await Promise.all([stat(path).catch(() => undefined), file.stat()]);
  if (!now || now.ino === opened.ino) return undefined;
  return open(path).catch(() => undefined);
}
