import { type FSWatcher, watch } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { fixedTimestamp, parseLogLine } from './log-line.ts';
import type { LogOptions } from './log-options.ts';
import { tailStart } from './tail-start.ts';

export interface LogSource {
  /** Of the file that the container writes; rotation renames it and puts a new one there. */
  readonly path: string;
  /** Whether the container may still write. */
  running(): boolean;
}

const CHUNK_BYTES = 64 * 1024;
/** Changes are told by the file system; this is for those that are not, and for the container's end. */
const CHECK_MS = 500;
const NEWLINE = 0x0a;
/** A line that never ends is cut here. */
const MAX_LINE_BYTES = 256 * 1024;

/**
 * Hands the wanted part of a log to `write`, one chunk after the other, and resolves at its end: of the file, or with
 * `follow` of the container. Rejects when the file cannot be opened.
 */
export async function readLog(source: LogSource, options: LogOptions, signal: AbortSignal, write: (chunk: Buffer) => Promise<void> | void): Promise<void> {
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

async function drain(file: FileHandle, from: number, lines: LineFilter, signal: AbortSignal, write: (chunk: Buffer) => Promise<void> | void): Promise<number> {
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

/** Turns file content into output. */
class LineFilter {
  readonly #options: LogOptions;
  #rest: Buffer = Buffer.alloc(0);
  #left: number;
  #atLineStart = true;
  #since: number | undefined;

  constructor(options: LogOptions) {
    this.#options = options;
    this.#left = options.limitBytes ?? Number.POSITIVE_INFINITY;
    this.#since = options.since;
  }

  /** The byte limit is reached. */
  get done(): boolean {
    return this.#left <= 0;
  }

  startFile(): void {
    this.#rest = Buffer.alloc(0);
  }

  /** The result does not share memory with `chunk`. */
  take(chunk: Buffer): Buffer {
    const data = this.#rest.length ? Buffer.concat([this.#rest, chunk]) : chunk;
    const parts: Buffer[] = [];
    let start = 0;
    for (let end = data.indexOf(NEWLINE); end >= 0; end = data.indexOf(NEWLINE, start)) {
      this.#line(data, start, end, parts);
      start = end + 1;
    }
    this.#rest = Buffer.from(data.subarray(start));
    if (this.#rest.length > MAX_LINE_BYTES) this.#rest = Buffer.alloc(0);
    const output = Buffer.concat(parts);
    const taken = output.length > this.#left ? output.subarray(0, this.#left) : output;
    this.#left -= taken.length;
    return taken;
  }

  #line(data: Buffer, start: number, end: number, parts: Buffer[]): void {
    const line = parseLogLine(data.subarray(start, end));
    if (!line) return;
    if (this.#since !== undefined) {
      if (Date.parse(line.timestamp) < this.#since) return;
      this.#since = undefined;
    }
    if (this.#options.stream && line.stream !== this.#options.stream) return;
    if (this.#options.timestamps && this.#atLineStart) parts.push(Buffer.from(`${fixedTimestamp(line.timestamp)} `, 'latin1'));
    // The text is at the end of the line: with its newline when the line ends here.
    parts.push(line.full ? data.subarray(end - line.text.length, end + 1) : line.text);
    this.#atLineStart = line.full;
  }
}

/** Wakes whoever follows a file. */
class Changes {
  readonly #watcher: FSWatcher | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal;
  readonly #wakeUp = () => this.#changed();
  #wake: (() => void) | undefined;
  #pending = false;

  constructor(path: string, signal: AbortSignal) {
    this.#signal = signal;
    try {
      this.#watcher = watch(dirname(path), { persistent: false }, this.#wakeUp);
      this.#watcher.on('error', () => undefined);
    } catch {
      // The timer has to do: too many watches, or the directory is gone.
    }
    this.#timer = setInterval(this.#wakeUp, CHECK_MS);
    this.#timer.unref();
    signal.addEventListener('abort', this.#wakeUp);
  }

  async next(): Promise<void> {
    if (!this.#pending && !this.#signal.aborted)
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    this.#pending = false;
  }

  stop(): void {
    this.#watcher?.close();
    clearInterval(this.#timer);
    this.#signal.removeEventListener('abort', this.#wakeUp);
  }

  #changed(): void {
    this.#pending = true;
    this.#wake?.();
  }
}
