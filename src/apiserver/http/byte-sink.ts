import { constants, createGzip } from 'node:zlib';
import type { HttpExchange } from './http-exchange.ts';

/** Where the pieces of an answer go, one after another. */
interface ByteSink {
  /** Resolves when the chunk's memory is free for the next; with false when there is no use in going on. */
  write(chunk: Buffer): Promise<boolean>;
  end(): Promise<void> | void;
}

export function plainSink(exchange: HttpExchange): ByteSink {
  return {
    async write(chunk) {
      const taken = await exchange.flush(chunk);
      // A turn of the event loop between chunks, whether or not the connection needs it: others want to be served.
      await new Promise(setImmediate);
      return taken;
    },
    end: () => exchange.end(),
  };
}

export function gzipSink(exchange: HttpExchange): ByteSink {
  const stream = createGzip({ level: constants.Z_BEST_SPEED });
  const copied = (async () => {
    for await (const chunk of stream) if (!exchange.write(chunk as Buffer)) await exchange.drained();
  })();
  return {
    write: (chunk) =>
      new Promise((resolve, reject) =>
        stream.write(chunk, (error) => (error ? reject(error) : resolve(!exchange.finished))),
      ),
    async end() {
      stream.end();
      await copied;
      exchange.end();
    },
  };
}
