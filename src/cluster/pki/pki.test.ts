import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openPki } from './pki.ts';

const DAY = 86_400_000;
const serving = {
  commonName: 'kube-apiserver',
  usages: ['server'] as const,
  dnsNames: ['localhost', 'kubernetes.default.svc'],
  ips: ['127.0.0.1', '::1', '10.96.0.1'],
};
const admin = { commonName: 'me', organizations: ['system:masters', 'b'], usages: ['client'] as const };

describe('openPki', () => {
  let parent: string;
  let dir: string;
  beforeEach(() => {
    parent = mkdtempSync(join(tmpdir(), 'k8ts-pki-'));
    dir = join(parent, 'pki');
  });
  afterEach(() => rmSync(parent, { recursive: true, force: true }));

  it('issues certificates that chain to the CA, with names, groups and usages', async () => {
    const pki = await openPki();
    const { cert } = await pki.certificate('apiserver', serving);
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(new X509Certificate(pki.ca.cert).publicKey)).toBe(true);
    expect(certificate.checkHost('kubernetes.default.svc')).toBeDefined();
    expect(certificate.checkIP('10.96.0.1')).toBeDefined();
    expect(certificate.checkIP('::1')).toBeDefined();
    const client = new X509Certificate((await pki.certificate('admin', admin)).cert);
    expect(client.subject.split('\n')).toEqual(['O=system:masters', 'O=b', 'CN=me']);
    expect(client.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
    const proxy = new X509Certificate((await pki.frontProxyCertificate('front-proxy-client', admin)).cert);
    expect(proxy.verify(new X509Certificate(pki.frontProxyCa.cert).publicKey)).toBe(true);
  });

  it('makes what TLS takes, on both sides', async () => {
    const pki = await openPki();
    const [server, client] = await Promise.all([pki.issue(serving), pki.issue(admin)]);
    const listener = createServer(
      { cert: server.cert, key: server.key, ca: pki.ca.cert, requestCert: true, rejectUnauthorized: true },
      (socket) => socket.end(String(socket.getPeerCertificate().subject.CN)),
    );
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
    const { port } = listener.address() as AddressInfo;
    const answer = await new Promise<string>((resolve, reject) => {
      let text = '';
      connect({ host: '127.0.0.1', port, cert: client.cert, key: client.key, ca: pki.ca.cert })
        .on('data', (chunk) => {
          text += chunk;
        })
        .on('end', () => resolve(text))
        .on('error', reject);
    });
    listener.close();
    expect(answer).toBe('me');
  });

  it('keeps keys in files only their owner reads, and renews in time or when a name is missing', async () => {
    const first = await openPki({ dir });
    const { cert } = await first.certificate('apiserver', serving);
    expect(await first.certificate('apiserver', serving)).toEqual({ cert, key: expect.any(String) });
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    for (const name of ['ca.key', 'apiserver.key', 'sa.key'])
      expect(statSync(join(dir, name)).mode & 0o777).toBe(0o600);
    const again = await openPki({ dir });
    expect(again.ca.cert).toBe(first.ca.cert);
    expect(again.serviceAccountKey).toBe(first.serviceAccountKey);
    expect((await again.certificate('apiserver', serving)).cert).toBe(cert);
    expect((await again.certificate('apiserver', { ...serving, ips: ['192.0.2.9'] })).cert).not.toBe(cert);
    const later = await openPki({ dir, now: () => Date.now() + 300 * DAY });
    const renewed = new X509Certificate((await later.certificate('apiserver', serving)).cert);
    expect(Date.parse(renewed.validTo)).toBeGreaterThan(Date.now() + 600 * DAY);
    // Made while the clock was a year ahead: of no use now.
    const { cert: now } = await (await openPki({ dir })).certificate('apiserver', serving);
    expect(Date.parse(new X509Certificate(now).validFrom)).toBeLessThan(Date.now());
  });

  it('rotates what is due, and an authority keeps its key', async () => {
    let ahead = 0;
    const pki = await openPki({ dir, now: () => Date.now() + ahead });
    const before = await pki.certificate('apiserver', serving);
    await pki.certificate('short', { ...admin, ttlMs: DAY });
    expect(await pki.rotateIfNeeded()).toEqual([]);
    ahead = 0.8 * DAY;
    expect(await pki.rotateIfNeeded()).toEqual(['short']);
    const { ca } = pki;
    ahead = 8 * 365 * DAY;
    expect(await pki.rotateIfNeeded()).toEqual(['ca', 'apiserver', 'short', 'front-proxy-ca']);
    expect(pki.ca.key).toBe(ca.key);
    expect(pki.ca.cert).not.toBe(ca.cert);
    expect(new X509Certificate(before.cert).verify(new X509Certificate(pki.ca.cert).publicKey)).toBe(true);
  });

  it('issues anew what another CA or for another user had signed', async () => {
    const { cert } = await (await openPki({ dir })).certificate('admin', admin);
    const other = await (await openPki({ dir })).certificate('admin', { ...admin, commonName: 'you' });
    expect(new X509Certificate(other.cert).subject).toContain('CN=you');
    for (const name of ['ca.crt', 'ca.key']) unlinkSync(join(dir, name));
    expect((await (await openPki({ dir })).certificate('admin', admin)).cert).not.toBe(cert);
  });

  it('signs requests of others, EC and RSA, as they stand', async () => {
    const pki = await openPki();
    for (const algorithm of ['ec:-pkeyopt:ec_paramgen_curve:P-256', 'rsa:2048']) {
      const [key, ...options] = algorithm.replace('ec:-pkeyopt:', 'ec -pkeyopt ').split(' ');
      const csr = execFileSync(
        'openssl',
        [
          ...['req', '-new', '-newkey', key ?? '', ...options, '-nodes', '-keyout', join(parent, 'key')],
          ...['-subj', '/O=system:nodes/CN=system:node:n1', '-addext', 'subjectAltName=DNS:n1,IP:192.0.2.1'],
        ],
        { stdio: ['ignore', 'pipe', 'ignore'] },
      ).toString();
      const signed = new X509Certificate(await pki.signRequest(csr, { usages: ['server'], ttlMs: DAY }));
      expect(signed.verify(new X509Certificate(pki.ca.cert).publicKey)).toBe(true);
      expect(signed.subject).toBe('O=system:nodes\nCN=system:node:n1');
      expect(signed.subjectAltName).toBe('DNS:n1, IP Address:192.0.2.1');
      expect(signed.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1']);
      expect(Date.parse(signed.validTo)).toBeLessThan(Date.now() + 2 * DAY);
      const forged = csr.split('\n');
      forged[2] = (forged[2] ?? '').split('').reverse().join('');
      await expect(pki.signRequest(forged.join('\n'), { usages: ['client'], ttlMs: DAY })).rejects.toMatchObject({
        code: 'CSR_INVALID',
      });
    }
    await expect(pki.signRequest('rubbish', { usages: ['client'], ttlMs: DAY })).rejects.toThrow("can't be signed");
  });

  it('says which file is broken', async () => {
    const { ca } = await openPki({ dir });
    const broken = (file: string) => ({ code: 'PKI_UNREADABLE', message: expect.stringContaining(file) });
    writeFileSync(join(dir, 'ca.key'), 'rubbish');
    await expect(openPki({ dir })).rejects.toMatchObject(broken('ca.key'));
    unlinkSync(join(dir, 'ca.key'));
    await expect(openPki({ dir })).rejects.toMatchObject(broken('ca.key'));
    writeFileSync(join(dir, 'ca.key'), (await openPki()).ca.key);
    await expect(openPki({ dir })).rejects.toMatchObject(broken('ca.crt'));
    writeFileSync(join(dir, 'ca.key'), ca.key);
    await openPki({ dir });
  });
});
