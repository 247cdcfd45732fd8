import type { StatusError } from '../../apimachinery/status-error.ts';
import type { WatchResult } from '../request/result.ts';
import type { Notice } from '../watch-cache/cache-event.ts';
import type { HttpExchange } from './http-exchange.ts';
import { acceptReceiver } from './web-socket.ts';

export interface WatchMessages {
  /** One event, as it is framed on a plain HTTP stream. */
  encode(notice: Notice): string | Buffer;
  error(error: StatusError): string | Buffer;
  /** Bytes at the start of every frame that are the stream's and not the event's. */
  readonly frameHead: number;
  readonly text: boolean;
}

/** A watch whose events are WebSocket messages, one each. */
export async function watchOverWebSocket(
  exchange: HttpExchange,
  result: WatchResult,
  { encode, error: errorOf, frameHead, text }: WatchMessages,
): Promise<void> {
  const receiver = await acceptReceiver(exchange);
  const messageOf = (frame: string | Buffer) => {
    const body = frame.slice(frameHead);
    return text ? body.toString() : body;
  };
  const { signal } = exchange;
  await new Promise<void>((resolve) => {
    const running = result.open({
      async deliver({ notices }) {
        for (const notice of notices) await receiver.send(messageOf(encode(notice)));
      },
      close(error) {
        signal.removeEventListener('abort', stop);
        const last = error ? receiver.send(messageOf(errorOf(error))) : Promise.resolve();
        void last.then(() => receiver.close()).then(resolve);
      },
    });
    const stop = () => running.stop();
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}
