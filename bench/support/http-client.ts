import { type ClientHttp2Session, connect } from 'node:http2';
import { Pool } from 'undici';
import { quantile } from './report.ts';
import type { Target } from './server-process.ts';

export interface Call {
  readonly method?: string;
  readonly path: string;
  readonly body?: string;
  readonly contentType?: string;
  readonly accept?: string;
}

export interface Answer {
  readonly status: number;
  readonly bytes: number;
  /** The head of the body, if it was asked for. */
  readonly body: string;
}

export interface HttpClient {
  /** Throws on a status from 400 on that is not among the `expected`. `keep`: the first bytes of the body are wanted. */
  request(call: Call, keep?: boolean, expected?: readonly number[]): Promise<Answer>;
  close(): Promise<void>;
}

export function openHttp1(target: Target, connections: number): HttpClient {
  const { port, ca, cert, key } = target;
  const pool = new Pool(`https://127.0.0.1:${port}`, { connections, pipelining: 1, connect: { ca, cert, key } });
  return {
    async request(call, keep = false, expected = []) {
      const { statusCode, body } = await pool.request({
        method: (call.method ?? 'GET') as 'GET',
        path: call.path,
        headers: headersOf(call),
        body: call.body ?? null,
      });
      const chunks: Buffer[] = [];
      let bytes = 0;
      for await (const chunk of body as AsyncIterable<Buffer>) {
        bytes += chunk.length;
        if ((keep && chunks.length === 0) || statusCode >= 400) chunks.push(chunk);
      }
      return checked(call, { status: statusCode, bytes, body: Buffer.concat(chunks).toString() }, expected);
    },
    close: () => pool.destroy(),
  };
}

export function openHttp2(target: Target): HttpClient {
  const session = openSession(target);
  return {
    request: (call, keep = false, expected = []) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':method': call.method ?? 'GET', ':path': call.path, ...headersOf(call) });
        const chunks: Buffer[] = [];
        let status = 0;
        let bytes = 0;
        stream.on('response', (headers) => {
          status = headers[':status'] ?? 0;
        });
        stream.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          if ((keep && chunks.length === 0) || status >= 400) chunks.push(chunk);
        });
        stream.on('end', () => {
          try {
            resolve(checked(call, { status, bytes, body: Buffer.concat(chunks).toString() }, expected));
          } catch (error) {
            reject(error);
          }
        });
        stream.on('error', reject);
        stream.end(call.body);
      }),
    async close() {
      session.destroy();
    },
  };
}

export function openSession({ port, ca, cert, key }: Target): ClientHttp2Session {
  return connect(`https://127.0.0.1:${port}`, { ca, cert, key, settings: { initialWindowSize: 4 * 1024 * 1024 } });
}

function headersOf({ contentType, accept }: Call): Record<string, string> {
  return {
    'user-agent': 'k8ts-bench/1',
    accept: accept ?? 'application/json',
    ...(contentType ? { 'content-type': contentType } : {}),
  };
}

function checked(call: Call, answer: Answer, expected: readonly number[]): Answer {
  if (answer.status < 400 || expected.includes(answer.status)) return answer;
  throw new Error(`${call.method ?? 'GET'} ${call.path}: ${answer.status} ${answer.body.slice(0, 500)}`);
}

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** Makes `count` calls, `concurrency` at a time; ms. */
export async function load(
  client: HttpClient,
  count: number,
  concurrency: number,
  callOf: (number: number) => Call,
): Promise<Latency> {
  const times: number[] = [];
  let next = 0;
  const worker = async () => {
    while (next < count) {
      const call = callOf(next++);
      const started = performance.now();
      await client.request(call);
      times.push(performance.now() - started);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, worker));
  return { p50: quantile(times, 0.5), p99: quantile(times, 0.99) };
}
