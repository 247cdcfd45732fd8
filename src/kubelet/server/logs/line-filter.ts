import { fixedTimestamp, parseLogLine } from './log-line.ts';
import type { LogOptions } from './log-options.ts';

const NEWLINE = 0x0a;
/** A line that never ends is cut here. */
const MAX_LINE_BYTES = 256 * 1024;

/** Turns file content into output. */
export class LineFilter {
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
    if (this.#options.timestamps && this.#atLineStart)
      parts.push(Buffer.from(`${fixedTimestamp(line.timestamp)} `, 'latin1'));
    // The text is at the end of the line: with its newline when the line ends here.
    parts.push(line.full ? data.subarray(end - line.text.length, end + 1) : line.text);
    this.#atLineStart = line.full;
  }
}
