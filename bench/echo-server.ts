import { createSecureServer } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { openPki } from '../src/cluster/pki/pki.ts';
import { serveControl } from './support/server-process.ts';

/** The reference: the barest HTTPS server that Node has, answering 1 KB, or as many bytes as `/bytes/N` names. */
const pki = await openPki();
const { cert, key } = await pki.certificate('server', { commonName: 'echo', usages: ['server'], ips: ['127.0.0.1'] });
const client = await pki.certificate('client', { commonName: 'bench', usages: ['client'] });
const kilobyte = Buffer.alloc(1024, 'x');
const chunk = Buffer.alloc(256 * 1024, 'x');

const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
  const bytes = request.url?.startsWith('/bytes/') ? Number(request.url.slice(7)) : 0;
  request.resume();
  if (bytes === 0) {
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': kilobyte.length });
    response.end(kilobyte);
    return;
  }
  response.writeHead(200, { 'content-type': 'application/json' });
  let left = bytes;
  const send = (): void => {
    while (left > 0) {
      left -= chunk.length;
      if (!response.write(chunk as never)) {
        response.once('drain', send);
        return;
      }
    }
    response.end();
  };
  send();
});
server.listen(0, '127.0.0.1', () => {
  serveControl(
    { port: (server.address() as AddressInfo).port, ca: pki.ca.cert, cert: client.cert, key: client.key },
    async () => {},
  );
});
