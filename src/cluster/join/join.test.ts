import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { CertificateSigningRequest } from '../../api/types/certificates.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { KeyFiles } from '../pki/key-files.ts';
import { openPki, type Pki } from '../pki/pki.ts';
import { caPinOf, formatJoinToken, newJoinToken, parseJoinToken } from './join-token.ts';
import { NodeCertificates } from './node-certificates.ts';
import { createRenewableTransport } from './renewable-transport.ts';
import { fetchClusterCa } from './server-connection.ts';

const DAY_MS = 86_400_000;
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0)) await clean();
});

describe('join token', () => {
  it('survives being written and read', () => {
    const token = newJoinToken('a'.repeat(64));
    expect(parseJoinToken(`${formatJoinToken(token)}\n`)).toEqual(token);
    expect(`${token.id}.${token.secret}`).toMatch(/^[a-z0-9]{6}\.[a-z0-9]{16}$/);
  });

  it.each([
    '',
    'abcdef.0123456789abcdef',
    'k8ts1::00::abcdef.0123456789abcdef',
    `k8ts1::${'a'.repeat(64)}::short.0123456789abcdef`,
  ])('refuses %j', (text) => {
    expect(() => parseJoinToken(text)).toThrow(expect.objectContaining({ code: 'JOIN_TOKEN_INVALID' }));
  });
});

describe('the CA of the server', () => {
  it('is believed when its key is the pinned one', async () => {
    const pki = await openPki();
    const url = await serve(pki, pki.ca.cert);
    const ca = await fetchClusterCa(url, caPinOf(pki.ca.cert), new AbortController().signal);
    expect(caPinOf(ca)).toBe(caPinOf(pki.ca.cert));
  });

  it('is refused when it is another, or did not sign the certificate of the server', async () => {
    const [pki, other] = await Promise.all([openPki(), openPki()]);
    const mismatch = expect.objectContaining({ code: 'CA_MISMATCH' });
    await expect(
      fetchClusterCa(await serve(pki, pki.ca.cert), caPinOf(other.ca.cert), new AbortController().signal),
    ).rejects.toThrow(mismatch);
    // A stranger shows the right CA beside a certificate that it did not sign.
    await expect(
      fetchClusterCa(await serve(other, pki.ca.cert), caPinOf(pki.ca.cert), new AbortController().signal),
    ).rejects.toThrow(mismatch);
  });
});

describe('certificates of a node', () => {
  it('are asked for once, kept on disk and renewed as the node itself', async () => {
    const { pki, dir, open } = await setUp();
    const start = Date.now();
    let now = start;
    const first = open(() => now);
    expect(await first.restore()).toBe(false);
    await first.obtain(
      signer(pki, 'bootstrap', () => now),
      AbortSignal.timeout(5_000),
    );
    const { cert } = first.identity;
    expect(statSync(join(dir, 'kubelet-client.key')).mode & 0o777).toBe(0o600);

    const again = open(() => now);
    expect(await again.restore()).toBe(true);
    expect(again.identity.cert).toBe(cert);
    again.client = signer(pki, 'node', () => now);
    expect(await again.rotateIfNeeded()).toEqual([]);

    now = start + 300 * DAY_MS;
    expect(await again.rotateIfNeeded()).toEqual(['kubelet-client']);
    expect(again.identity.cert).not.toBe(cert);

    now = start + 800 * DAY_MS;
    expect(await open(() => now).restore()).toBe(false);
  });

  it('name the node and its address, and nothing that every host is', async () => {
    const { pki, open } = await setUp();
    const certificates = open(Date.now);
    const requests: CertificateSigningRequest[] = [];
    certificates.client = signer(pki, 'node', Date.now, requests);
    const request = {
      commonName: 'whoever',
      usages: ['server' as const],
      dnsNames: ['a', 'localhost'],
      ips: ['10.0.0.7', '127.0.0.1'],
    };
    const pair = await certificates.certificate('serving', request);
    expect(await certificates.certificate('serving', request)).toBe(pair);
    expect(requests).toHaveLength(1);
    const { X509Certificate } = await import('node:crypto');
    const read = new X509Certificate(pair.cert);
    expect(read.subject).toBe('O=system:nodes\nCN=system:node:a');
    expect(read.subjectAltName).toBe('DNS:a, IP Address:10.0.0.7');
  });

  it('that are refused are an error that says why', async () => {
    const { open } = await setUp();
    const client = clientOf(async () => ({ conditions: [{ type: 'Denied', status: 'True', message: 'not today' }] }));
    await expect(open(Date.now).obtain(client, AbortSignal.timeout(5_000))).rejects.toThrow(/not today/);
  });

  it('of another cluster are not used', async () => {
    const { pki, dir, open } = await setUp();
    await open(Date.now).obtain(signer(pki, 'bootstrap', Date.now), AbortSignal.timeout(5_000));
    const other = await openPki();
    expect(await new NodeCertificates({ nodeName: 'a', files: new KeyFiles(dir), ca: other.ca.cert }).restore()).toBe(
      false,
    );
    expect(await new NodeCertificates({ nodeName: 'b', files: new KeyFiles(dir), ca: pki.ca.cert }).restore()).toBe(
      false,
    );
  });
});

describe('a transport that is renewed', () => {
  it('asks over the new connection, and closes all', async () => {
    const closed: number[] = [];
    let opened = 0;
    const transport = createRenewableTransport(() => {
      const number = ++opened;
      return {
        request: async () => ({ status: 200, body: number as never, warnings: [] }),
        watch: () => ({ done: Promise.resolve(), stop() {} }),
        close: async () => void closed.push(number),
      };
    });
    expect((await transport.request({ method: 'GET', path: '/' })).body).toBe(1);
    transport.renew();
    expect((await transport.request({ method: 'GET', path: '/' })).body).toBe(2);
    expect(closed).toEqual([]);
    await transport.close();
    expect(closed.sort()).toEqual([1, 2]);
  });
});

async function setUp() {
  const dir = mkdtempSync(join(tmpdir(), 'k8ts-join-'));
  cleanups.push(() => rmSync(dir, { recursive: true }));
  const pki = await openPki();
  const open = (now: () => number) =>
    new NodeCertificates({ nodeName: 'a', files: new KeyFiles(dir), ca: pki.ca.cert, now });
  return { pki, dir, open };
}

/** An API server as far as certificate requests go: signs each at once. */
function signer(pki: Pki, _as: string, now: () => number, requests: CertificateSigningRequest[] = []): Client {
  return clientOf(async (request) => {
    requests.push(request);
    const csr = Buffer.from(request.spec.request, 'base64').toString('utf8');
    const usages = request.spec.usages!.includes('server auth') ? (['server'] as const) : (['client'] as const);
    // The authority's clock is this machine's: the end is told from the node's.
    const cert = await pki.signRequest(csr, { usages, ttlMs: now() - Date.now() + 365 * DAY_MS });
    return { certificate: Buffer.from(cert).toString('base64') };
  });
}

function clientOf(answer: (request: CertificateSigningRequest) => Promise<object>): Client {
  let latest: CertificateSigningRequest;
  const resource = {
    create: async (request: CertificateSigningRequest) => {
      latest = { ...request, metadata: { ...request.metadata, name: 'csr-1' } };
      return latest;
    },
    get: async () => ({ ...latest, status: await answer(latest) }),
  };
  return { for: () => resource } as unknown as Client;
}

/** A TLS server with a certificate of `pki`, which shows `ca` beside it. */
async function serve(pki: Pki, ca: string): Promise<string> {
  const { cert, key } = await pki.issue({ commonName: 'server', usages: ['server'], ips: ['127.0.0.1'] });
  const server = createServer({ cert: `${cert}${ca}`, key });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => new Promise((resolve) => server.close(resolve)));
  return `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
