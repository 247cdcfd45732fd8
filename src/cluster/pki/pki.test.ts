import { X509Certificate } from 'node:crypto';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openPki } from './pki.ts';

const DAY = 86_400_000;
const serving = { commonName: 'kube-apiserver', usages: ['server'] as const, dnsNames: ['localhost', 'kubernetes.default.svc'], ips: ['127.0.0.1', '10.96.0.1'] };

describe('openPki', () => {
  it('issues certificates that chain to the CA, with names, groups and usages', async () => {
    const pki = await openPki();
    const { cert } = await pki.certificate('apiserver', serving);
    const certificate = new X509Certificate(cert);
    expect(certificate.verify(new X509Certificate(pki.ca.cert).publicKey)).toBe(true);
    expect(certificate.checkHost('kubernetes.default.svc')).toBeDefined();
    expect(certificate.checkIP('10.96.0.1')).toBeDefined();
    const admin = new X509Certificate((await pki.certificate('admin', { commonName: 'me', organizations: ['system:masters', 'b'], usages: ['client'] })).cert);
    expect(admin.subject.split('\n')).toEqual(['O=system:masters', 'O=b', 'CN=me']);
    expect(admin.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2']);
  });

  it('keeps keys in files only their owner reads, and renews in time or when a name is missing', async () => {
    const dir = join(mkdtempSync(join(tmpdir(), 'k8ts-pki-')), 'pki');
    const first = await openPki({ dir });
    const { cert } = await first.certificate('apiserver', serving);
    expect(statSync(dir).mode & 0o777).toBe(0o700);
    expect(statSync(join(dir, 'ca.key')).mode & 0o777).toBe(0o600);
    const again = await openPki({ dir });
    expect(again.ca.cert).toBe(first.ca.cert);
    expect((await again.certificate('apiserver', serving)).cert).toBe(cert);
    expect((await again.certificate('apiserver', { ...serving, ips: ['192.0.2.9'] })).cert).not.toBe(cert);
    const later = await openPki({ dir, now: () => Date.now() + 300 * DAY });
    expect(new Date(new X509Certificate((await later.certificate('apiserver', serving)).cert).validTo).getTime()).toBeGreaterThan(Date.now() + 600 * DAY);
  });

  it('says which file is broken', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'k8ts-pki-'));
    writeFileSync(join(dir, 'ca.key'), 'rubbish');
    await expect(openPki({ dir })).rejects.toMatchObject({ code: 'PKI_UNREADABLE', message: expect.stringContaining('ca.key') });
  });
});
