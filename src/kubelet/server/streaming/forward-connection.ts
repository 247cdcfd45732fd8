import type { Duplex, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

/** How to reach ports, wherever the session is. `close` ends what it holds. */
export interface PortConnector {
  connect(port: number): Promise<Duplex>;
  close(): void;
}

/** One connection, to its end. Why it failed goes to the error stream. */
export async function forwardConnection(
  port: number,
  data: Duplex,
  error: Writable,
  connect: (port: number) => Promise<Duplex>,
): Promise<void> {
  try {
    const target = await connect(port);
    await copyBothWays(data, target);
    error.end();
  } catch (cause) {
    data.destroy();
    error.end(
      `an error occurred forwarding ${port} -> ${port}: ${cause instanceof Error ? cause.message : String(cause)}`,
    );
  }
}

async function copyBothWays(client: Duplex, target: Duplex): Promise<void> {
  target.on('error', () => undefined);
  const up = pipeline(client as Readable, target as Writable, { end: true }).catch(() => {
    // The client went away: nobody reads what the target still says.
    if (client.destroyed) target.destroy();
  });
  const down = pipeline(target as Readable, client as Writable, { end: true }).catch(() => undefined);
  await Promise.all([up, down]);
  target.destroy();
}
