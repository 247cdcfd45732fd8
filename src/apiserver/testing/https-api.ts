import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpsRequest } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startTestApiServer, type TestApiServer } from '../testing.ts';

export interface Answer {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: objects of kinds that tests make
  readonly json: any;
}

export interface HttpsApi {
  readonly server: TestApiServer;
  send(method: string, path: string, body?: string | Buffer, headers?: Record<string, string>): Promise<Answer>;
  /** The events of a watch until there are `count`, one JSON each. */
  // biome-ignore lint/suspicious/noExplicitAny: objects of kinds that tests make
  watch(path: string, count: number, headers?: Record<string, string>): Promise<any[]>;
  stop(): Promise<void>;
}

/** A test API server as clients on the wire see it. */
export async function startHttpsApi(): Promise<HttpsApi> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-https-'));
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=test', '-days', '1', '-keyout', key, '-out', cert];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject], { stdio: 'ignore' });
  const server = await startTestApiServer({
    listen: { host: '127.0.0.1', tls: { cert: readFileSync(cert), key: readFileSync(key) } },
  });
  const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });
  return {
    server,
    send: (method, path, body, headers = {}) =>
      new Promise((resolve, reject) => {
        const contentType =
          body === undefined
            ? {}
            : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) };
        const request = httpsRequest(
          `${server.url}${path}`,
          { method, agent, headers: { ...contentType, ...headers } },
          (response) => {
            const chunks: Buffer[] = [];
            response.on('data', (chunk: Buffer) => chunks.push(chunk));
            response.on('end', () => {
              const type = response.headers['content-type'] ?? '';
              const text = Buffer.concat(chunks).toString();
              const json = type.includes('json') ? JSON.parse(text) : undefined;
              resolve({ status: response.statusCode ?? 0, type, text, json });
            });
          },
        );
        request.on('error', reject);
        request.end(body);
      }),
    watch: (path, count, headers = {}) =>
      new Promise((resolve, reject) => {
        const request = httpsRequest(`${server.url}${path}`, { agent, headers }, (response) => {
          let text = '';
          response.on('error', () => {});
          response.on('data', (chunk: Buffer) => {
            text += chunk.toString();
            const lines = text.split('\n').filter((line, index, all) => line !== '' && index < all.length - 1);
            if (lines.length < count && response.statusCode === 200) return;
            resolve(lines.slice(0, count).map((line) => JSON.parse(line)));
            request.destroy();
          });
        });
        request.on('error', reject);
        request.end();
      }),
    async stop() {
      agent.destroy();
      await server.stop();
      rmSync(folder, { recursive: true });
    },
  };
}
