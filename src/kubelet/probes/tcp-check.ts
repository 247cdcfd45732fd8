import { createConnection } from 'node:net';
import { dialError } from './http-check.ts';

/** Resolves to `undefined` when the port takes a connection, else to why not. */
export function tcpCheck(host: string, port: number, timeoutMs: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port });
    const finish = (why: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(why);
    };
    const timer = setTimeout(() => finish(`dial tcp ${host}:${port}: i/o timeout`), timeoutMs);
    socket.once('connect', () => finish(undefined));
    socket.once('error', (error) => finish(dialError(error, { hostname: host, port })));
  });
}
