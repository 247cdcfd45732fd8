import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openPki } from '../../../src/cluster/pki/pki.ts';

// biome-ignore lint/suspicious/noExplicitAny: reviews as they come over the wire
export type Loose = any;

/** A webhook as its author would write it: by path, a function from the review's request to its response. */
export class WebhookServer {
  /** Requests as they came, by path. */
  readonly seen: { readonly path: string; readonly request: Loose }[] = [];
  readonly #server: Server;
  readonly ca: string;

  private constructor(server: Server, ca: string) {
    this.#server = server;
    this.ca = Buffer.from(ca).toString('base64');
  }

  static async start(answers: Readonly<Record<string, (request: Loose) => Loose>>) {
    const pki = await openPki();
    const server = createServer(
      await pki.certificate('webhook', {
        commonName: 'webhook',
        usages: ['server'],
        dnsNames: ['hook.default.svc'],
        ips: ['127.0.0.1'],
      }),
    );
    const webhook = new WebhookServer(server, pki.ca.cert);
    server.on('request', async (incoming, outgoing) => {
      let text = '';
      for await (const chunk of incoming) text += chunk;
      const path = new URL(incoming.url ?? '/', 'https://host').pathname;
      const review = JSON.parse(text);
      webhook.seen.push({ path, request: review.request });
      const answer = answers[path]?.(review.request);
      if (typeof answer === 'function') {
        answer(outgoing);
        return;
      }
      outgoing.setHeader('content-type', 'application/json');
      outgoing.end(JSON.stringify({ ...review, request: undefined, response: { uid: review.request.uid, ...answer } }));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return webhook;
  }

  url(path: string): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}${path}`;
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}
