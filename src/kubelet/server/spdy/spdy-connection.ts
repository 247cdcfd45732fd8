import type { Duplex } from 'node:stream';
import {
  type ControlFrame,
  controlFrame,
  dataFrameHead,
  FLAG_FIN,
  FrameReader,
  FrameType,
  INITIAL_WINDOW_BYTES,
  INITIAL_WINDOW_SETTING,
  RST_CANCEL,
  RST_REFUSED,
  uint32,
} from './frames.ts';
import { HeaderBlockReader, HeaderBlockWriter, type SpdyHeaders } from './header-block.ts';
import { SpdyStream, type StreamCarrier } from './spdy-stream.ts';

export interface SpdyConnectionOptions {
  /** What the bytes go over, after the upgrade. */
  readonly transport: Duplex;
  readonly role: 'client' | 'server';
  /** Bytes that were read with the upgrade. */
  readonly head?: Buffer;
  /** A stream that the peer opened; `false` resets it. */
  readonly onStream?: (stream: SpdyStream) => boolean;
  /** Once, however the connection ends; the streams have ended then. */
  readonly onClose?: () => void;
}

const MAX_STREAMS = 1000;

/**
 * A SPDY/3.1 connection. Kubernetes' own peers keep no flow-control windows and send no WINDOW_UPDATE, so windows bind the
 * sending side only once the peer has shown that it keeps them. A client sends no WINDOW_UPDATE before that either: a
 * runtime that ends the connection with some of them unread resets it, and what it had not sent yet is lost. A reader that
 * is slow stops the whole connection, which is what bounds memory.
 */
export class SpdyConnection implements StreamCarrier {
  readonly #options: SpdyConnectionOptions;
  readonly #transport: Duplex;
  readonly #streams = new Map<number, SpdyStream>();
  readonly #replies = new Map<number, { resolve(): void; reject(error: Error): void }>();
  readonly #frames = new FrameReader();
  readonly #headerReader = new HeaderBlockReader();
  readonly #headerWriter = new HeaderBlockWriter();
  /** Who waits for room in the transport. */
  #waiting: ((error?: Error | null) => void)[] = [];
  #nextId: number;
  #received = 0;
  #initialSendWindow = INITIAL_WINDOW_BYTES;
  #closed = false;
  windowsKept = false;

  constructor(options: SpdyConnectionOptions) {
    this.#options = options;
    this.#transport = options.transport;
    this.#nextId = options.role === 'client' ? 1 : 2;
    const { transport, head } = options;
    transport.on('data', (chunk: Buffer) => this.#receive(chunk));
    transport.on('drain', () => this.#drained());
    transport.on('error', (error: Error) => this.#end(error));
    transport.on('end', () => this.#end());
    transport.on('close', () => this.#end());
    // After the caller has the object: `onStream` may use it.
    if (head?.length) queueMicrotask(() => this.#receive(head));
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** Opens a stream; resolves when the peer has accepted it. */
  async open(headers: SpdyHeaders): Promise<SpdyStream> {
    if (this.#closed) throw new Error('the connection is closed');
    const id = this.#nextId;
    this.#nextId += 2;
    const stream = new SpdyStream(this, id, headers, this.#initialSendWindow);
    stream.on('error', () => undefined);
    this.#streams.set(id, stream);
    const replied = new Promise<void>((resolve, reject) => this.#replies.set(id, { resolve, reject }));
    const priority = Buffer.alloc(2);
    this.#write(controlFrame(FrameType.synStream, 0, uint32(id, 0), priority, this.#headerWriter.write(headers)));
    await replied;
    return stream;
  }

  /** Ends it after what was written. */
  close(): void {
    if (this.#closed) return;
    this.#write(controlFrame(FrameType.goAway, 0, uint32(0, 0)));
    this.#transport.end();
    this.#end();
  }

  destroy(error?: Error): void {
    this.#transport.destroy(error);
    this.#end(error);
  }

  sendData(id: number, bytes: Buffer, fin: boolean, taken: (error?: Error | null) => void): void {
    if (this.#closed || this.#transport.destroyed) {
      taken(new Error('the connection is closed'));
      return;
    }
    this.#transport.cork();
    this.#transport.write(dataFrameHead(id, bytes.length, fin));
    const room = bytes.length > 0 ? this.#transport.write(bytes) : !this.#transport.writableNeedDrain;
    this.#transport.uncork();
    if (room) taken();
    else this.#waiting.push(taken);
  }

  sendWindowUpdate(id: number, bytes: number): void {
    if (this.#options.role === 'server' || this.windowsKept)
      this.#write(controlFrame(FrameType.windowUpdate, 0, uint32(id, bytes)));
  }

  sendReset(id: number): void {
    this.#write(controlFrame(FrameType.rstStream, 0, uint32(id, RST_CANCEL)));
  }

  streamDrained(): void {
    for (const stream of this.#streams.values()) if (stream.full) return;
    this.#transport.resume();
  }

  streamClosed(id: number): void {
    this.#streams.delete(id);
    this.streamDrained();
  }

  #write(frame: Buffer): void {
    if (!this.#closed && !this.#transport.destroyed && this.#transport.writable) this.#transport.write(frame);
  }

  #drained(error?: Error): void {
    for (const taken of this.#waiting.splice(0)) taken(error);
  }

  #receive(chunk: Buffer): void {
    if (this.#closed) return;
    this.#received += chunk.length;
    if (this.#received >= INITIAL_WINDOW_BYTES / 2) {
      this.sendWindowUpdate(0, this.#received);
      this.#received = 0;
    }
    try {
      for (const frame of this.#frames.read(chunk)) {
        if (frame.kind === 'control') this.#control(frame);
        else if (this.#streams.get(frame.streamId)?.receive(frame.bytes, frame.fin) === false) this.#transport.pause();
      }
    } catch (error) {
      this.destroy(error as Error);
    }
  }

  #control({ type, flags, payload }: ControlFrame): void {
    const id = payload.length >= 4 ? payload.readUInt32BE(0) & 0x7fffffff : 0;
    switch (type) {
      case FrameType.synStream:
        this.#onSynStream(id, payload, (flags & FLAG_FIN) !== 0);
        break;
      case FrameType.synReply:
        this.#headerReader.read(payload.subarray(4));
        this.#replied(id);
        if (flags & FLAG_FIN) this.#streams.get(id)?.receive(Buffer.alloc(0), true);
        break;
      case FrameType.headers:
        this.#headerReader.read(payload.subarray(4));
        break;
      case FrameType.rstStream:
        this.#replied(id, new Error(`the peer reset the stream (status ${payload.readUInt32BE(4)})`));
        this.#streams.get(id)?.abort();
        break;
      case FrameType.ping:
        // Only the peer's own pings are answered: odd ones come from a client.
        if ((id % 2 === 1) === (this.#options.role === 'server')) this.#write(controlFrame(type, 0, payload));
        break;
      case FrameType.settings:
        this.#onSettings(payload);
        break;
      case FrameType.windowUpdate:
        this.windowsKept = true;
        if (id !== 0) this.#streams.get(id)?.growWindow(payload.readUInt32BE(4) & 0x7fffffff);
        break;
      default:
        // GOAWAY: the peer opens no more streams and ends the connection when it is done.
        break;
    }
  }

  #onSynStream(id: number, payload: Buffer, fin: boolean): void {
    const headers = this.#headerReader.read(payload.subarray(10));
    const stream = new SpdyStream(this, id, headers, this.#initialSendWindow);
    stream.on('error', () => undefined);
    if (this.#streams.size >= MAX_STREAMS) {
      this.#write(controlFrame(FrameType.rstStream, 0, uint32(id, RST_REFUSED)));
      return;
    }
    this.#streams.set(id, stream);
    // The reply goes first: whoever gets the stream may write at once.
    this.#write(controlFrame(FrameType.synReply, 0, uint32(id), this.#headerWriter.write({})));
    if (!this.#options.onStream?.(stream)) {
      stream.destroy();
      return;
    }
    if (fin) stream.receive(Buffer.alloc(0), true);
  }

  #onSettings(payload: Buffer): void {
    for (let offset = 4; offset + 8 <= payload.length; offset += 8) {
      if (payload.readUIntBE(offset + 1, 3) !== INITIAL_WINDOW_SETTING) continue;
      const window = payload.readUInt32BE(offset + 4);
      this.windowsKept = true;
      for (const stream of this.#streams.values()) stream.growWindow(window - this.#initialSendWindow);
      this.#initialSendWindow = window;
    }
  }

  #replied(id: number, error?: Error): void {
    const reply = this.#replies.get(id);
    this.#replies.delete(id);
    if (error) reply?.reject(error);
    else reply?.resolve();
  }

  #end(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const { reject } of this.#replies.values()) reject(error ?? new Error('the connection was closed'));
    this.#replies.clear();
    this.#drained(error ?? new Error('the connection was closed'));
    for (const stream of [...this.#streams.values()]) stream.abort();
    this.#streams.clear();
    if (!this.#transport.destroyed && this.#transport.writableEnded) this.#transport.resume();
    else this.#transport.end();
    this.#options.onClose?.();
  }
}
