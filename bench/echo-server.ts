import { createSecureServer, type Http2ServerResponse } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { openPki } from '../src/cluster/pki/pki.ts';
import { serveControl } from './support/server-process.ts';

/**
 * The reference: the barest HTTPS server that Node has. It answers 1 KB, or as many bytes as `/bytes/N` names; once M have
 * asked for `/events/M/N`, all of them are sent N lines of 1 KB, one in each turn of the event loop.
 */
const pki = await openPki();
const { cert, key } = await pki.certificate('server', { commonName: 'echo', usages: ['server'], ips: ['127.0.0.1'] });
const client = await pki.certificate('client', { commonName: 'bench', usages: ['client'] });
const kilobyte = Buffer.alloc(1024, 'x');
const line = Buffer.from(`${'x'.repeat(1023)}\n`);
const chunk = Buffer.alloc(256 * 1024, 'x');
const headers = { 'content-type': 'application/json' };
let listeners: Http2ServerResponse[] = [];

const server = createSecureServer({ cert, key, allowHTTP1: true }, (request, response) => {
  const [, task, count = '', lines = ''] = (request.url ?? '').split('/');
  request.resume();
  if (task === 'bytes') {
    response.writeHead(200, headers);
    sendBytes(response, Number(count));
  } else if (task === 'events') {
    response.writeHead(200, headers);
    listeners.push(response);
    if (listeners.length < Number(count)) return;
    const everyone = listeners;
    listeners = [];
    sendLines(everyone, Number(lines));
  } else {
    response.writeHead(200, { ...headers, 'content-length': kilobyte.length });
    response.end(kilobyte);
  }
});

function sendBytes(response: Http2ServerResponse, bytes: number): void {
  let left = bytes;
  while (left > 0) {
    left -= chunk.length;
    if (response.write(chunk as never)) continue;
    response.once('drain', () => sendBytes(response, left));
    return;
  }
  response.end();
}

function sendLines(responses: readonly Http2ServerResponse[], left: number): void {
  for (const response of responses)
    if (left > 0) response.write(line as never);
    else response.end();
  if (left > 0) setImmediate(sendLines, responses, left - 1);
}

server.listen(0, '127.0.0.1', () => {
  serveControl(
    { port: (server.address() as AddressInfo).port, ca: pki.ca.cert, cert: client.cert, key: client.key },
    async () => {},
  );
});
