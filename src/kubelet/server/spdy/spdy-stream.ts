import { Duplex } from 'node:stream';
import { INITIAL_WINDOW_BYTES } from './frames.ts';
import type { SpdyHeaders } from './header-block.ts';

/** What a stream asks of its connection. */
export interface StreamCarrier {
  /** Calls back when the connection has taken the bytes. */
  sendData(id: number, bytes: Buffer, fin: boolean, taken: (error?: Error | null) => void): void;
  sendWindowUpdate(id: number, bytes: number): void;
  sendReset(id: number): void;
  /** False only while the peer is known to keep windows. */
  readonly windowsKept: boolean;
  /** A stream that was full has room again. */
  streamDrained(id: number): void;
  streamClosed(id: number): void;
}

const MAX_FRAME_BYTES = 32 * 1024;

/** One stream of a SPDY connection. Ending it half-closes it; destroying it before its end resets it. */
export class SpdyStream extends Duplex {
  readonly id: number;
  readonly headers: SpdyHeaders;
  readonly #carrier: StreamCarrier;
  #sendWindow: number;
  #unacknowledged = 0;
  #localEnd = false;
  #remoteEnd = false;
  #blocked: (() => void) | undefined;
  #full = false;

  constructor(carrier: StreamCarrier, id: number, headers: SpdyHeaders, sendWindow: number) {
    super({ readableHighWaterMark: 256 * 1024, writableHighWaterMark: 64 * 1024 });
    this.id = id;
    this.headers = headers;
    this.#carrier = carrier;
    this.#sendWindow = sendWindow;
  }

  /** Data from the peer. False: it has more than it wants for now. */
  receive(bytes: Buffer, fin: boolean): boolean {
    if (this.destroyed || this.#remoteEnd) return true;
    let room = true;
    if (bytes.length > 0) {
      room = this.push(bytes);
      this.#unacknowledged += bytes.length;
      // Bytes count as read when they are taken in: the connection stops reading while a stream is full.
      if (this.#unacknowledged >= INITIAL_WINDOW_BYTES / 2) {
        this.#carrier.sendWindowUpdate(this.id, this.#unacknowledged);
        this.#unacknowledged = 0;
      }
    }
    if (fin) {
      this.#remoteEnd = true;
      this.push(null);
      room = true;
    }
    this.#full = !room;
    return room;
  }

  get full(): boolean {
    return this.#full && !this.destroyed;
  }

  growWindow(bytes: number): void {
    this.#sendWindow += bytes;
    const blocked = this.#blocked;
    if (blocked && this.#sendWindow > 0) {
      this.#blocked = undefined;
      blocked();
    }
  }

  /** The peer reset it, or the connection ended: what came before can still be read, nothing more is sent. */
  abort(): void {
    if (!this.#remoteEnd) this.push(null);
    this.#remoteEnd = true;
    this.#localEnd = true;
    this.#blocked = undefined;
    if (this.readableLength > 0 && !this.destroyed) this.once('end', () => this.destroy());
    else this.destroy();
  }

  override _read(): void {
    if (!this.#full) return;
    this.#full = false;
    this.#carrier.streamDrained(this.id);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    this.#send(chunk, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    if (this.#localEnd) callback();
    else {
      this.#localEnd = true;
      this.#carrier.sendData(this.id, Buffer.alloc(0), true, callback);
    }
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (!this.#localEnd || !this.#remoteEnd) this.#carrier.sendReset(this.id);
    this.#localEnd = true;
    this.#remoteEnd = true;
    this.#full = false;
    this.#carrier.streamClosed(this.id);
    callback(error);
  }

  #send(chunk: Buffer, callback: (error?: Error | null) => void): void {
    const window = this.#carrier.windowsKept ? this.#sendWindow : Number.POSITIVE_INFINITY;
    if (window <= 0) {
      this.#blocked = () => this.#send(chunk, callback);
      return;
    }
    const length = Math.min(chunk.length, MAX_FRAME_BYTES, window);
    this.#sendWindow -= length;
    this.#carrier.sendData(this.id, chunk.subarray(0, length), false, (error) => {
      if (error || length === chunk.length) callback(error);
      else this.#send(chunk.subarray(length), callback);
    });
  }
}
