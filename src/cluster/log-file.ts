import { openSync, write, writeSync } from 'node:fs';

/** Lines wait this long for others to be written with them. */
const FLUSH_MS = 250;
const FLUSH_BYTES = 16 * 1024;
/** What waits when the disk takes nothing; later lines are dropped. */
const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/**
 * A file that lines are appended to, without waiting. A disk that is full loses lines and nothing else: there is nowhere to
 * tell of it, and the next line tries again.
 */
export class LogFile {
  readonly #fd: number;
  #waiting: string[] = [];
  #bytes = 0;
  #timer: NodeJS.Timeout | undefined;
  #writing = false;

  constructor(path: string) {
    this.#fd = openSync(path, 'a', 0o600);
  }

  write(line: string): void {
    if (this.#bytes > MAX_WAITING_BYTES) return;
    this.#waiting.push(line);
    this.#bytes += line.length;
    if (this.#bytes >= FLUSH_BYTES) this.#flush();
    else if (!this.#timer) {
      this.#timer = setTimeout(() => {
        this.#timer = undefined;
        this.#flush();
      }, FLUSH_MS);
      this.#timer.unref();
    }
  }

  /** Writes what waits before it returns: for the end of the process. */
  flushSync(): void {
    const bytes = this.#take();
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at);
    } catch {
      // lost, as said above
    }
  }

  #flush(): void {
    if (this.#writing || this.#waiting.length === 0) return;
    this.#writing = true;
    this.#write(this.#take(), 0);
  }

  #write(bytes: Buffer, at: number): void {
    write(this.#fd, bytes, at, bytes.length - at, null, (error, written) => {
      if (!error && at + written < bytes.length) {
        this.#write(bytes, at + written);
        return;
      }
      this.#writing = false;
      if (!error) this.#flush();
    });
  }

  #take(): Buffer {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const bytes = Buffer.from(this.#waiting.join(''));
    this.#waiting = [];
    this.#bytes = 0;
    return bytes;
  }
}
