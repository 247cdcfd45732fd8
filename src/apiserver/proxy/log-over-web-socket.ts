import type { Readable } from 'node:stream';
import type { HttpExchange } from '../http/http-exchange.ts';
import { acceptReceiver } from '../http/web-socket.ts';

const BASE64 = 'base64.binary.k8s.io';
const PROTOCOLS = ['binary.k8s.io', BASE64];

/** Sends a log on as WebSocket messages, at the client's pace: binary ones, or base64 text if it asks for that. */
export async function logOverWebSocket(exchange: HttpExchange, source: Readable): Promise<void> {
  const leave = () => source.destroy();
  try {
    const receiver = await acceptReceiver(exchange, PROTOCOLS);
    exchange.signal.addEventListener('abort', leave, { once: true });
    const base64 = receiver.protocol === BASE64;
    // Tells the client that the log is there, however long its first line takes.
    await receiver.send(base64 ? '' : Buffer.alloc(0));
    try {
      for await (const chunk of source as AsyncIterable<Buffer>)
        await receiver.send(base64 ? chunk.toString('base64') : chunk);
    } catch {
      // The kubelet broke off; the client sees the end.
    }
    await receiver.close();
  } finally {
    exchange.signal.removeEventListener('abort', leave);
    source.destroy();
  }
}
