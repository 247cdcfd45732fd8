import type { ClientDuplexStream, ServiceError } from '@grpc/grpc-js';
import { CompactedError, type StoreEvent, type Watch, type WatchRequest } from '../store.ts';
import type { Endpoints } from './endpoints.ts';
import type { KeySpace } from './key-space.ts';
import type { WatchResponse } from './messages.ts';

const FIRST_DELAY_MS = 50;
const MAX_DELAY_MS = 2000;
/** Codes that a new connection does not cure: INVALID_ARGUMENT, PERMISSION_DENIED, UNIMPLEMENTED, UNAUTHENTICATED. */
const LASTING = new Set([3, 7, 12, 16]);

type Stream = ClientDuplexStream<object, WatchResponse>;

/** A watch that outlives connections and members: each new stream begins where the last one ended. */
export class EtcdWatch implements Watch {
  readonly done: Promise<void>;
  readonly #endpoints: Endpoints;
  readonly #keys: KeySpace;
  readonly #request: WatchRequest;
  readonly #ended: () => void;
  #stream: Stream | undefined;
  /** Every event up to here was delivered; a new stream begins here. */
  #position: number;
  #reported = 0;
  #delay = FIRST_DELAY_MS;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #resolve!: () => void;
  #reject!: (error: unknown) => void;

  constructor(endpoints: Endpoints, keys: KeySpace, request: WatchRequest, ended: () => void) {
    this.#endpoints = endpoints;
    this.#keys = keys;
    this.#request = request;
    this.#ended = ended;
    this.#position = request.startRevision;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.done.catch(() => undefined);
    void this.#connect();
  }

  close(): void {
    if (this.#finish()) this.#resolve();
  }

  /** Asks how far the watch is, should it be behind `revision`. */
  hurry(revision: number): void {
    if (!this.#closed && Math.max(this.#position, this.#reported) < revision)
      this.#stream?.write({ progress_request: {} });
  }

  async #connect(): Promise<void> {
    try {
      const stream = await this.#endpoints.stream<object, WatchResponse>('Watch', 'Watch');
      if (this.#closed) {
        stream.cancel();
        return;
      }
      this.#stream = stream;
      stream.on('data', (response: WatchResponse) => this.#receive(response, stream));
      stream.on('error', (error: ServiceError) => this.#lost(error, stream));
      stream.on('end', () => this.#lost(undefined, stream));
      stream.write({
        create_request: {
          key: this.#keys.encode(this.#request.start),
          range_end: this.#keys.encode(this.#request.end),
          // Inclusive, one lower than needed: then a revision that was compacted away is an error and not a gap.
          start_revision: this.#position,
          progress_notify: true,
          prev_kv: true,
        },
      });
    } catch (error) {
      this.#lost(error as ServiceError, this.#stream);
    }
  }

  #receive(response: WatchResponse, stream: Stream): void {
    if (this.#closed || stream !== this.#stream) return;
    this.#delay = FIRST_DELAY_MS;
    const revision = Number(response.header.revision);
    const compactRevision = Number(response.compact_revision);
    if (response.canceled) {
      if (compactRevision > 0) this.#fail(new CompactedError(compactRevision));
      else this.#lost(new Error(response.cancel_reason || 'the watch was canceled'), stream);
      return;
    }
    try {
      if (response.created) {
        // "From now on" means from when the watch was made, whatever happens to its stream.
        if (this.#position === 0) this.#position = revision;
      } else if (response.events.length > 0) this.#deliver(response);
      else if (revision > Math.max(this.#position, this.#reported)) {
        // Not the place to begin again at: etcd before 3.4.25 may report progress ahead of events.
        this.#reported = revision;
        this.#request.onProgress?.(revision);
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #deliver(response: WatchResponse): void {
    const events: StoreEvent[] = [];
    for (const { type, kv: etcdKv, prev_kv } of response.events) {
      const kv = this.#keys.decode(etcdKv);
      if (kv.modRevision <= this.#position) continue;
      const previous = prev_kv ? { previous: this.#keys.decode(prev_kv) } : {};
      events.push({ type: type === 'PUT' ? 'put' : 'delete', kv, ...previous });
    }
    const last = events[events.length - 1];
    if (!last) return;
    this.#position = last.kv.modRevision;
    this.#request.onEvents(events, this.#position);
  }

  #lost(error: Error | undefined, stream: Stream | undefined): void {
    if (this.#closed || stream !== this.#stream) return;
    this.#stream = undefined;
    stream?.on('error', () => undefined);
    stream?.cancel();
    if (error && LASTING.has((error as ServiceError).code)) {
      this.#fail(error);
      return;
    }
    this.#endpoints.failed();
    this.#timer = setTimeout(() => void this.#connect(), this.#delay);
    this.#delay = Math.min(this.#delay * 2, MAX_DELAY_MS);
  }

  #fail(error: unknown): void {
    if (this.#finish()) this.#reject(error);
  }

  #finish(): boolean {
    if (this.#closed) return false;
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#stream?.cancel();
    this.#ended();
    return true;
  }
}
