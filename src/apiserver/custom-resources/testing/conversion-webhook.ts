import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

// biome-ignore lint/suspicious/noExplicitAny: reviews and objects as they come over the wire
type Loose = any;

export interface ConversionWebhook {
  /** Requests as they came. */
  readonly requests: Loose[];
  /** For a CRD's `conversion.webhook.clientConfig`. */
  readonly clientConfig: { readonly url: string; readonly caBundle: string };
  stop(): Promise<void>;
}

/** A conversion webhook over HTTPS, which answers as `convert` says. */
export async function startConversionWebhook(convert: (request: Loose) => Loose): Promise<ConversionWebhook> {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-webhook-'));
  const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=webhook', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1'];
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...curve, ...subject, '-keyout', keyFile, '-out', certFile], {
    stdio: 'ignore',
  });
  const [key, cert] = [readFileSync(keyFile), readFileSync(certFile)];
  rmSync(folder, { recursive: true });
  const requests: Loose[] = [];
  const server = createServer({ key, cert }, async (incoming, outgoing) => {
    let text = '';
    for await (const chunk of incoming) text += chunk;
    const { request, ...review } = JSON.parse(text);
    requests.push(request);
    outgoing.setHeader('content-type', 'application/json');
    outgoing.end(JSON.stringify({ ...review, response: { uid: request.uid, ...convert(request) } }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    requests,
    clientConfig: {
      url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/convert`,
      caBundle: cert.toString('base64'),
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
