import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { newAuthority, openSigner } from '../../../cluster/pki/certificates.ts';

export interface TestHttpsServer {
  /** `https://127.0.0.1:PORT` */
  readonly url: string;
  /** PEM. */
  readonly ca: string;
  /** A kubeconfig whose server is `path` of this one. */
  kubeconfig(path: string, token: string): string;
  close(): Promise<void>;
}

/** A real HTTPS server with a certificate of an authority of its own, on the loopback. */
export async function startHttpsServer(listener: RequestListener): Promise<TestHttpsServer> {
  const authority = await newAuthority('test-authority', Date.now());
  const signer = await openSigner(authority);
  const { cert, key } = await signer.issue({ commonName: 'test', usages: ['server'], ips: ['127.0.0.1'] }, Date.now());
  const server = createServer({ cert, key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    url,
    ca: authority.cert,
    kubeconfig: (path, token) => `
current-context: webhook
contexts: [{name: webhook, context: {cluster: webhook, user: apiserver}}]
users: [{name: apiserver, user: {token: ${token}}}]
clusters:
- name: webhook
  cluster: {server: ${url}${path}, certificate-authority-data: ${Buffer.from(authority.cert).toString('base64')}}
`,
    close() {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

/** The JSON body of a request. */
export async function bodyOf<T>(request: AsyncIterable<Buffer>): Promise<T> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString('utf8')) as T;
}
