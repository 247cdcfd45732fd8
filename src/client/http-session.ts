import * as http2 from 'node:http2';
import { isIP } from 'node:net';
import type { Logger } from '../apimachinery/logger.ts';

export interface HttpSessionOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly ca?: string | Uint8Array;
  readonly cert?: string | Uint8Array;
  readonly key?: string | Uint8Array;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  readonly logger: Logger;
  /** Between pings of an open connection; a ping unanswered for as long ends it. */
  readonly pingMs?: number;
}

/** HTTP/2 connections to one server, opened on demand, replaced when they die. */
export interface HttpSessions {
  /** Opens a stream, on a new connection if the present ones are full or dead. */
  open(headers: http2.OutgoingHttpHeaders, endStream: boolean): Promise<http2.ClientHttp2Stream>;
  close(): Promise<void>;
}

const CONNECT_TIMEOUT_MS = 10_000;
const PING_MS = 15_000;
/** Streams on one connection before another is opened, also where the server would allow more. */
const MAX_STREAMS = 100;
const STREAM_WINDOW_BYTES = 1024 * 1024;
const SESSION_WINDOW_BYTES = 16 * 1024 * 1024;

interface Connection {
  readonly session: http2.ClientHttp2Session;
  readonly ready: Promise<void>;
  streams: number;
  draining: boolean;
}

export function createHttpSessions(options: HttpSessionOptions): HttpSessions {
  const { hostname, origin } = new URL(options.server);
  const host = hostname.replace(/^\[|\]$/g, '');
  const pingMs = options.pingMs ?? PING_MS;
  const connections = new Set<Connection>();
  let closed = false;

  function connect(): Connection {
    const session = http2.connect(origin, {
      ca: options.ca as string | Buffer | undefined,
      cert: options.cert as string | Buffer | undefined,
      key: options.key as string | Buffer | undefined,
      rejectUnauthorized: !options.insecureSkipTlsVerify,
      // An IP address is no server name (RFC 6066); the certificate is checked against the host all the same.
      servername: options.tlsServerName ?? (isIP(host) ? '' : host),
      settings: { enablePush: false, initialWindowSize: STREAM_WINDOW_BYTES },
    });
    const ready = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => session.destroy(new Error(`connecting to ${origin} took longer than ${CONNECT_TIMEOUT_MS} ms`)),
        CONNECT_TIMEOUT_MS,
      );
      session.once('connect', () => {
        clearTimeout(timer);
        session.setLocalWindowSize(SESSION_WINDOW_BYTES);
        resolve();
      });
      session.once('error', reject);
      session.once('close', () => {
        clearTimeout(timer);
        reject(new Error(`the connection to ${origin} was closed`));
      });
    });
    ready.catch(() => {});
    const connection: Connection = { session, ready, streams: 0, draining: false };
    session.on('error', (error) => options.logger.debug({ err: error, server: origin }, 'connection failed'));
    session.on('goaway', () => {
      connection.draining = true;
    });
    const pings = keepAlive(session, origin);
    session.on('close', () => {
      clearInterval(pings);
      connections.delete(connection);
    });
    connections.add(connection);
    return connection;
  }

  function keepAlive(session: http2.ClientHttp2Session, server: string): NodeJS.Timeout {
    let outstanding = false;
    const timer = setInterval(() => {
      if (session.destroyed || session.connecting) return;
      if (outstanding) {
        options.logger.warn({ server }, 'the server does not answer pings; reconnecting');
        session.destroy(new Error('the server does not answer pings'));
        return;
      }
      outstanding = session.ping(() => {
        outstanding = false;
      });
    }, pingMs);
    timer.unref();
    return timer;
  }

  const hasRoom = ({ session, draining, streams }: Connection) =>
    !draining &&
    !session.closed &&
    !session.destroyed &&
    streams <
      Math.min(
        MAX_STREAMS,
        session.connecting ? MAX_STREAMS : (session.remoteSettings.maxConcurrentStreams ?? MAX_STREAMS),
      );

  return {
    async open(headers, endStream) {
      if (closed) throw new Error('the transport is closed');
      const connection = [...connections].find(hasRoom) ?? connect();
      connection.streams++;
      try {
        await connection.ready;
        const stream = connection.session.request(headers, { endStream });
        // Whoever reads the stream learns of errors; one that comes after that must not end the process.
        stream.on('error', () => {});
        stream.once('close', () => {
          connection.streams--;
        });
        return stream;
      } catch (error) {
        connection.streams--;
        throw error;
      }
    },
    async close() {
      closed = true;
      const ends = [...connections].map(
        ({ session }) =>
          new Promise<void>((resolve) => {
            session.once('close', () => resolve());
            session.destroy();
          }),
      );
      await Promise.all(ends);
    },
  };
}
