import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, unlink } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AuditBackend, AuditLine } from './audit-event.ts';

export interface AuditLogOptions {
  /** `-` is standard output. */
  readonly path: string;
  /** Rotated files older than so many days are removed; 0 keeps them. */
  readonly maxAgeDays: number;
  /** So many rotated files are kept; 0 keeps all. */
  readonly maxBackups: number;
  /** In megabytes; 0 means 100. */
  readonly maxSizeMB: number;
  readonly logger: Logger;
  /** gzip rotated files. */
  readonly compress?: boolean;
  /** Events that may wait for the disk. */
  readonly bufferSize?: number;
  readonly waits?: AuditBackend['waits'];
  readonly maxEventBytes?: number;
  readonly legacy?: boolean;
}

interface WaitingLine {
  readonly line: AuditLine;
  readonly written: ((stored: boolean) => void) | undefined;
}

/** Beyond so many characters that wait for the disk, events are lost. */
const MAX_WAITING = 64 * 1024 * 1024;
const MEGABYTE = 1024 * 1024;
const DAY_MS = 86_400_000;

/** Events as lines of JSON in a file that is rotated. What can't be written is counted and lost. */
export class AuditLog implements AuditBackend {
  readonly name = 'log';
  readonly waits: AuditBackend['waits'];
  readonly maxEventBytes: number | undefined;
  readonly legacy: boolean;
  readonly #options: AuditLogOptions;
  readonly #maxBytes: number;
  #file: FileHandle | undefined;
  #size = 0;
  #lines: WaitingLine[] = [];
  #waiting = 0;
  #writing: Promise<void> | undefined;
  #compressing: Promise<void> | undefined;
  #failing = false;
  lost = 0;

  private constructor(options: AuditLogOptions) {
    this.#options = options;
    this.waits = options.waits;
    this.maxEventBytes = options.maxEventBytes;
    this.legacy = options.legacy === true;
    this.#maxBytes = (options.maxSizeMB || 100) * MEGABYTE;
  }

  /** Throws what the file system says when the file can't be written. */
  static async open(options: AuditLogOptions): Promise<AuditLog> {
    const log = new AuditLog(options);
    if (options.path !== '-') await log.#open();
    return log;
  }

  write(line: AuditLine): void {
    this.#add(line, undefined);
  }

  send(line: AuditLine): Promise<boolean> {
    return new Promise((resolve) => this.#add(line, resolve));
  }

  #add(line: AuditLine, written: WaitingLine['written']): void {
    const length = lengthOf(line);
    const { bufferSize = Number.POSITIVE_INFINITY } = this.#options;
    if (this.#waiting + length > MAX_WAITING || this.#lines.length >= bufferSize) {
      this.lost++;
      written?.(false);
      return;
    }
    this.#lines.push({ line, written });
    this.#waiting += length;
    this.#writing ??= this.#drain();
  }

  async close(): Promise<void> {
    await this.#writing;
    await this.#compressing;
    await this.#file?.close();
    this.#file = undefined;
  }

  async #drain(): Promise<void> {
    // What comes in the same turn goes out together.
    await Promise.resolve();
    while (this.#lines.length) {
      const lines = this.#take();
      try {
        await this.#append(lines.map(({ line }) => line));
        this.#failing = false;
        for (const { written } of lines) written?.(true);
      } catch (error) {
        this.lost += lines.length;
        if (!this.#failing)
          this.#options.logger.error({ err: error }, 'the audit log can not be written; events are lost');
        this.#failing = true;
        for (const { written } of lines) written?.(false);
      }
    }
    this.#writing = undefined;
  }

  /** As many lines as fit in one file, and at most about a megabyte. */
  #take(): WaitingLine[] {
    const limit = Math.min(MEGABYTE, Math.max(this.#maxBytes - this.#size, 0));
    let characters = 0;
    let count = 0;
    while (count < this.#lines.length && (count === 0 || characters + lengthOf(this.#lines[count]!.line) < limit))
      characters += lengthOf(this.#lines[count++]!.line) + 1;
    const lines = this.#lines.splice(0, count);
    for (const { line } of lines) this.#waiting -= lengthOf(line);
    return lines;
  }

  async #append(lines: readonly AuditLine[]): Promise<void> {
    const [first] = lines;
    const pieces =
      lines.length === 1 && typeof first === 'object' ? [...first, '\n'] : [`${lines.map(wholeLine).join('\n')}\n`];
    if (this.#options.path === '-') {
      for (const piece of pieces) await new Promise<void>((resolve) => process.stdout.write(piece, () => resolve()));
      return;
    }
    const length = pieces.reduce((sum, piece) => sum + Buffer.byteLength(piece), 0);
    if (this.#size > 0 && this.#size + length > this.#maxBytes) await this.#rotate();
    const file = this.#file ?? (await this.#open());
    for (const piece of pieces) await file.appendFile(piece, 'utf8');
    this.#size += length;
  }

  async #open(): Promise<FileHandle> {
    const file = await open(this.#options.path, 'a', 0o600);
    this.#size = (await file.stat()).size;
    this.#file = file;
    return file;
  }

  async #rotate(): Promise<void> {
    const { path } = this.#options;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
    const { folder, prefix, extension } = this.#names();
    const rotated = join(folder, `${prefix}${new Date().toISOString().slice(0, -1).replaceAll(':', '-')}${extension}`);
    await rename(path, rotated);
    this.#size = 0;
    const tidy = () =>
      this.#removeOld().catch((error) => this.#options.logger.warn({ err: error }, 'old audit logs were not removed'));
    if (!this.#options.compress) return tidy();
    // Events do not wait for it.
    const before = this.#compressing ?? Promise.resolve();
    this.#compressing = before.then(() => this.#compress(rotated)).then(tidy);
  }

  async #compress(path: string): Promise<void> {
    try {
      await pipeline(createReadStream(path), createGzip(), createWriteStream(`${path}.gz`, { mode: 0o600 }));
      await unlink(path);
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'an old audit log was not compressed');
    }
  }

  async #removeOld(): Promise<void> {
    const { maxAgeDays, maxBackups } = this.#options;
    const { folder, prefix, extension } = this.#names();
    const rotated = (await readdir(folder))
      .map((name) => ({ name, time: rotationTime(name, prefix, extension) }))
      .filter(({ time }) => !Number.isNaN(time))
      .sort((a, b) => b.time - a.time);
    const oldest = maxAgeDays ? Date.now() - maxAgeDays * DAY_MS : Number.NEGATIVE_INFINITY;
    for (const [index, { name, time }] of rotated.entries())
      if ((maxBackups && index >= maxBackups) || time < oldest) await unlink(join(folder, name));
  }

  #names(): { folder: string; prefix: string; extension: string } {
    const { path } = this.#options;
    const extension = extname(path);
    return { folder: dirname(path), prefix: `${basename(path, extension)}-`, extension };
  }
}

function lengthOf(line: AuditLine): number {
  return typeof line === 'string' ? line.length : line.reduce((sum, { length }) => sum + length, 0);
}

const wholeLine = (line: AuditLine) => (typeof line === 'string' ? line : line.join(''));

/** NaN: no rotated file of this log. */
function rotationTime(name: string, prefix: string, extension: string): number {
  const plain = name.endsWith('.gz') ? name.slice(0, -'.gz'.length) : name;
  if (!plain.startsWith(prefix) || !plain.endsWith(extension)) return Number.NaN;
  const stamp = plain.slice(prefix.length, plain.length - extension.length);
  const match = /^(\d{4}-\d\d-\d\dT)(\d\d)-(\d\d)-(\d\d\.\d{3})$/.exec(stamp);
  return match ? Date.parse(`${match[1]}${match[2]}:${match[3]}:${match[4]}Z`) : Number.NaN;
}
