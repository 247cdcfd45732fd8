import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EtcdServer, etcdMissing, startEtcd } from '../../store/testing/etcd-server.ts';
import { Cluster } from '../cluster.ts';
import { type ClusterOptions, DISABLEABLE } from '../options.ts';

const base = mkdtempSync(join(tmpdir(), 'k8ts-at-rest-'));
afterAll(() => rmSync(base, { recursive: true, force: true }));

const boot = (dataDir: string, options: ClusterOptions = {}) =>
  Cluster.start({ dataDir, nodes: 0, disable: DISABLEABLE, ...options });
const secrets = '/api/v1/namespaces/default/secrets';
const secretData = async (cluster: Cluster) =>
  (await cluster.client.request<{ data: { a: string } }>({ method: 'GET', path: `${secrets}/s` })).body.data.a;
const create = (cluster: Cluster, path: string, data: object) =>
  cluster.client.request({ method: 'POST', path, body: { metadata: { name: 's' }, ...data } });

describe('encryption of Secrets by default', () => {
  it('leaves nothing to read in the file, is read after a boot, and misses its key', { timeout: 60_000 }, async () => {
    const dataDir = join(base, 'lmdb');
    const keyFile = join(dataDir, 'pki', 'encryption.key');
    const onDisk = (text: string) => {
      const folder = join(dataDir, 'datastore');
      return readdirSync(folder, { recursive: true, withFileTypes: true }).some(
        (entry) => entry.isFile() && readFileSync(join(entry.parentPath, entry.name)).includes(text),
      );
    };
    const first = await boot(dataDir);
    await create(first, secrets, { stringData: { a: 'very secret indeed' } });
    await create(first, '/api/v1/namespaces/default/configmaps', { data: { a: 'not secret at all' } });
    const encoded = Buffer.from('very secret indeed').toString('base64');
    expect(await secretData(first)).toBe(encoded);
    await first.stop();
    expect([onDisk('not secret at all'), onDisk(encoded), onDisk('very secret')]).toEqual([true, false, false]);
    expect(statSync(keyFile).mode & 0o777).toBe(0o600);

    const second = await boot(dataDir);
    expect(await secretData(second)).toBe(encoded);
    await second.stop();

    // With a configuration of the user's own what was there before is still read.
    const file = join(base, 'encryption.yaml');
    const provider = { secretbox: { keys: [{ name: 'mine', secret: Buffer.alloc(32, 7).toString('base64') }] } };
    const resources = [{ resources: ['secrets'], providers: [provider, { identity: {} }] }];
    writeFileSync(
      file,
      JSON.stringify({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources }),
    );
    const third = await boot(dataDir, { encryptionProviderConfig: file });
    expect(await secretData(third)).toBe(encoded);
    expect((await third.client.request<string>({ method: 'GET', path: '/readyz/kms-providers' })).body).toBe('ok');
    await third.stop();

    const key = readFileSync(keyFile);
    rmSync(keyFile);
    await expect(boot(dataDir)).rejects.toThrow(
      /the datastore has Secrets that are encrypted with the key k8ts-[0-9a-f]{12}, and its file \S+encryption\.key is not there/,
    );
    writeFileSync(keyFile, 'cut off');
    await expect(boot(dataDir)).rejects.toThrow(/encryption\.key can't be used: it holds 4 bytes, not 32 as base64/);
    writeFileSync(keyFile, key);
    const last = await boot(dataDir);
    expect(await secretData(last)).toBe(encoded);
    await last.stop();
  });

  const missing = etcdMissing();
  describe.skipIf(missing)(`in etcd${missing ? ` (skipped: ${missing})` : ''}`, () => {
    let etcd: EtcdServer;
    beforeAll(async () => {
      etcd = await startEtcd(join(base, 'etcd'));
    });
    afterAll(() => etcd?.kill());

    it('encrypts, and another server needs the same key', { timeout: 60_000 }, async () => {
      const options = { datastore: 'etcd', etcdEndpoints: [etcd.endpoint] } as const;
      const first = await boot(join(base, 'a'), options);
      await create(first, secrets, { stringData: { a: 'very secret indeed' } });
      await first.stop();
      await expect(boot(join(base, 'b'), options)).rejects.toMatchObject({ code: 'ENCRYPTION_KEY_MISSING' });
      const again = await boot(join(base, 'a'), options);
      expect(Buffer.from(await secretData(again), 'base64').toString()).toBe('very secret indeed');
      await again.stop();
    });
  });
});
