import type { Logger } from '../../apimachinery/logger.ts';
import type { AuditBackend, AuditLine } from './audit-event.ts';

export interface AuditWebhookOptions {
  /** Sends one EventList, once. */
  readonly post: (body: string) => Promise<void>;
  readonly disconnect: () => Promise<void>;
  readonly logger: Logger;
  /** 400 */
  readonly batchMaxSize?: number;
  /** 30 s */
  readonly batchMaxWaitMs?: number;
  /** Before the first repetition; 10 s. */
  readonly initialBackoffMs?: number;
  /** Batches a second on average, and at once; 10 and 15. */
  readonly throttle?: { readonly qps: number; readonly burst: number } | 'none';
  /** Events that may wait for their batch; 10,000. */
  readonly bufferSize?: number;
  /** Of one batch, in bytes. */
  readonly maxBatchBytes?: number;
  /** Every event is sent at once, on its own. */
  readonly waits?: AuditBackend['waits'];
  readonly maxEventBytes?: number;
}

const BUFFER_SIZE = 10_000;
/** Beyond so many characters that wait for the webhook, events are lost, however few they are. */
const MAX_WAITING = 64 * 1024 * 1024;
const ATTEMPTS = 5;
const BACKOFF_FACTOR = 1.5;
const BACKOFF_JITTER = 0.2;

/** Events in batches to a webhook. What finds the buffer full, or is refused five times, is counted and lost. */
export class AuditWebhook implements AuditBackend {
  readonly name = 'webhook';
  readonly waits: AuditBackend['waits'];
  readonly maxEventBytes: number | undefined;
  readonly #options: AuditWebhookOptions;
  readonly #batchMaxSize: number;
  readonly #closing = new AbortController();
  #buffer: string[] = [];
  /** Characters, of events on their way too. */
  #waiting = 0;
  readonly #alone = new Set<Promise<boolean>>();
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  readonly #throttle: { readonly qps: number; readonly burst: number };
  #tokens: number;
  #tokensAt = performance.now();
  lost = 0;

  constructor(options: AuditWebhookOptions) {
    this.#options = options;
    this.#batchMaxSize = options.batchMaxSize ?? 400;
    this.waits = options.waits;
    this.maxEventBytes = options.maxEventBytes;
    const { throttle = { qps: 10, burst: 15 } } = options;
    this.#throttle = throttle === 'none' ? { qps: Number.MAX_SAFE_INTEGER, burst: 1 } : throttle;
    this.#tokens = this.#throttle.burst;
  }

  write(line: AuditLine): void {
    if (this.waits) {
      void this.send(line);
      return;
    }
    const event = this.#take(line);
    if (event === undefined) return;
    this.#buffer.push(event);
    if (this.#buffer.length >= this.#batchMaxSize) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.batchMaxWaitMs ?? 30_000).unref();
  }

  send(line: AuditLine): Promise<boolean> {
    const event = this.#take(line);
    if (event === undefined) return Promise.resolve(false);
    const sending = this.#send([event]);
    this.#alone.add(sending);
    return sending.finally(() => this.#alone.delete(sending));
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#flush();
    await this.#sending;
    await Promise.all(this.#alone);
    await this.#options.disconnect();
  }

  /** Undefined: there is no room for it. */
  #take(line: AuditLine): string | undefined {
    const event = typeof line === 'string' ? line : line.join('');
    const { bufferSize = BUFFER_SIZE } = this.#options;
    const full = this.#buffer.length + this.#alone.size >= bufferSize || this.#waiting + event.length > MAX_WAITING;
    if (full || this.#closing.signal.aborted) {
      this.lost++;
      return undefined;
    }
    this.#waiting += event.length;
    return event;
  }

  /** The next batch: as many as may go together, one at least. */
  #batch(): string[] {
    const { maxBatchBytes = Number.POSITIVE_INFINITY } = this.#options;
    let count = 0;
    let bytes = 0;
    while (count < Math.min(this.#buffer.length, this.#batchMaxSize)) {
      bytes += Buffer.byteLength(this.#buffer[count]!);
      if (count > 0 && bytes > maxBatchBytes) break;
      count++;
    }
    return this.#buffer.splice(0, count);
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#buffer.length) this.#sending ??= this.#drain();
  }

  async #drain(): Promise<void> {
    do {
      const turn = this.#turn();
      if (turn) await turn;
      await this.#send(this.#batch());
    } while (this.#buffer.length >= this.#batchMaxSize || (this.#buffer.length && this.#closing.signal.aborted));
    this.#sending = undefined;
    if (this.#buffer.length)
      this.#timer ??= setTimeout(() => this.#flush(), this.#options.batchMaxWaitMs ?? 30_000).unref();
  }

  /** Until another batch may go out; undefined when it may now. */
  #turn(): Promise<void> | undefined {
    const { qps, burst } = this.#throttle;
    const now = performance.now();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#tokensAt) / 1000) * qps) - 1;
    this.#tokensAt = now;
    return this.#tokens < 0 ? this.#pause((-this.#tokens / qps) * 1000) : undefined;
  }

  /** Whether they were taken. */
  async #send(lines: readonly string[]): Promise<boolean> {
    try {
      return await this.#post(lines);
    } finally {
      for (const { length } of lines) this.#waiting -= length;
    }
  }

  async #post(lines: readonly string[]): Promise<boolean> {
    const { post, logger, initialBackoffMs = 10_000 } = this.#options;
    const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${lines.join(',')}]}`;
    let delay = initialBackoffMs;
    for (let attempt = 1; ; attempt++) {
      try {
        await post(body);
        return true;
      } catch (error) {
        // A server that stops does not wait for a webhook that is away.
        if (attempt < ATTEMPTS && !this.#closing.signal.aborted) {
          await this.#pause(delay * (1 + Math.random() * BACKOFF_JITTER));
          delay *= BACKOFF_FACTOR;
          continue;
        }
        this.lost += lines.length;
        logger.error({ err: error, events: lines.length }, 'the audit webhook did not take events; they are lost');
        return false;
      }
    }
  }

  /** Ends early when the backend is closed. */
  #pause(ms: number): Promise<void> {
    const { signal } = this.#closing;
    return new Promise((resolve) => {
      const over = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', over);
        resolve();
      };
      const timer = setTimeout(over, ms);
      signal.addEventListener('abort', over);
    });
  }
}
