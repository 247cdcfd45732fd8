import type { Readable } from 'node:stream';
import type { HttpExchange } from '../http/http-exchange.ts';

/** Sends a body on as it comes, at the client's pace, after the head. A source that breaks off breaks the response off. */
export async function copyResponse(source: Readable, exchange: HttpExchange): Promise<void> {
  const leave = () => source.destroy();
  exchange.signal.addEventListener('abort', leave, { once: true });
  try {
    for await (const chunk of source) {
      if (exchange.finished) break;
      if (!exchange.write(chunk as Buffer)) await exchange.drained();
    }
    exchange.end();
  } catch {
    exchange.destroy();
  } finally {
    exchange.signal.removeEventListener('abort', leave);
    source.destroy();
  }
}
