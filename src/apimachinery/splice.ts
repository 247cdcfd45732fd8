import type { Duplex } from 'node:stream';

/** How long one side may take to end after the other has, counted from when all data has been handed over. */
const LINGER_MS = 5_000;

/**
 * Copies both ways with backpressure and half-close. When one side is gone in good order the other gets what is still on
 * its way and is then ended; when one fails, both go. Resolves when both are closed.
 */
export function splice(a: Duplex, b: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const gone = (from: Duplex, to: Duplex) => {
      if (!from.readableEnded) to.destroy();
      else linger(to);
      if (--open === 0) resolve();
    };
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      from.on('error', () => undefined);
      if (from.destroyed) setImmediate(gone, from, to);
      else from.once('close', () => gone(from, to));
      from.pipe(to);
    }
  });
}

function linger(stream: Duplex): void {
  if (stream.destroyed) return;
  const wait = () => {
    const timer = setTimeout(() => stream.destroy(), LINGER_MS);
    stream.once('close', () => clearTimeout(timer));
  };
  stream.resume();
  if (!stream.writableEnded) stream.end();
  if (stream.writableFinished) wait();
  else stream.once('finish', wait);
}
