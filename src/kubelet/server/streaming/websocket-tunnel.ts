import { Duplex } from 'node:stream';
import type { WebSocket } from 'ws';

/** The bytes inside a WebSocket's binary messages, as a stream. It has no half-close: the end of either side is the end. */
export class WebSocketTunnel extends Duplex {
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    super({ allowHalfOpen: true, readableHighWaterMark: 256 * 1024 });
    this.#socket = socket;
    socket.on('message', (data: Buffer) => {
      if (data.length > 0 && !this.push(data)) socket.pause();
    });
    socket.on('error', () => this.destroy());
    socket.on('close', () => {
      if (!this.readableEnded) this.push(null);
      this.once('end', () => this.destroy());
      if (this.readableLength === 0) this.resume();
    });
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.OPEN) callback(new Error('the client has gone'));
    else this.#socket.send(chunk, { binary: true }, callback);
  }

  override _final(callback: (error?: Error | null) => void): void {
    this.#socket.resume();
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.close(1000);
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    if (this.#socket.readyState !== this.#socket.CLOSED) this.#socket.terminate();
    callback(error);
  }
}
