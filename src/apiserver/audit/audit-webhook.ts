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
  readonly throttle?: { readonly qps: number; readonly burst: number };
}

const BUFFER_SIZE = 10_000;
const ATTEMPTS = 5;
const BACKOFF_FACTOR = 1.5;
const BACKOFF_JITTER = 0.2;

/** Events in batches to a webhook. What finds the buffer full, or is refused five times, is counted and lost. */
export class AuditWebhook implements AuditBackend {
  readonly name = 'webhook';
  readonly #options: AuditWebhookOptions;
  readonly #batchMaxSize: number;
  readonly #closing = new AbortController();
  #buffer: string[] = [];
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  readonly #throttle: { readonly qps: number; readonly burst: number };
  #tokens: number;
  #tokensAt = performance.now();
  lost = 0;

  constructor(options: AuditWebhookOptions) {
    this.#options = options;
    this.#batchMaxSize = options.batchMaxSize ?? 400;
    this.#throttle = options.throttle ?? { qps: 10, burst: 15 };
    this.#tokens = this.#throttle.burst;
  }

  write(line: AuditLine): void {
    if (this.#buffer.length >= BUFFER_SIZE || this.#closing.signal.aborted) {
      this.lost++;
      return;
    }
    this.#buffer.push(typeof line === 'string' ? line : line.join(''));
    if (this.#buffer.length >= this.#batchMaxSize) this.#flush();
    else this.#timer ??= setTimeout(() => this.#flush(), this.#options.batchMaxWaitMs ?? 30_000).unref();
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#flush();
    await this.#sending;
    await this.#options.disconnect();
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
      await this.#send(this.#buffer.splice(0, this.#batchMaxSize));
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

  async #send(lines: readonly string[]): Promise<void> {
    const { post, logger, initialBackoffMs = 10_000 } = this.#options;
    const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${lines.join(',')}]}`;
    let delay = initialBackoffMs;
    for (let attempt = 1; ; attempt++) {
      try {
        return await post(body);
      } catch (error) {
        // A server that stops does not wait for a webhook that is away.
        if (attempt < ATTEMPTS && !this.#closing.signal.aborted) {
          await this.#pause(delay * (1 + Math.random() * BACKOFF_JITTER));
          delay *= BACKOFF_FACTOR;
          continue;
        }
        this.lost += lines.length;
        logger.error({ err: error, events: lines.length }, 'the audit webhook did not take events; they are lost');
        return;
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
