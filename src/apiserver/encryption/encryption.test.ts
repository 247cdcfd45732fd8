import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { fromJSON } from '@grpc/proto-loader';
import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import { openMemoryStore } from '../../store/memory/memory-store.ts';
import { openConfigurationFile } from '../configuration-file.ts';
import { startTestApiServer, type TestApiServer } from '../testing.ts';
import { EncryptionAtRest } from './encryption-at-rest.ts';
import { readEncryptionConfiguration } from './encryption-configuration.ts';
import { decodeEncryptedObject } from './kms/encrypted-object.ts';
import { KmsProvider } from './kms/kms-provider.ts';
import { KMS_DESCRIPTOR } from './kms/kms-service.ts';

const dir = mkdtempSync(join(tmpdir(), 'k8ts-encryption-'));
const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

const secretOf = (byte: number) => Buffer.alloc(32, byte).toString('base64');
const aesgcm = (name: string, byte: number) => ({ aesgcm: { keys: [{ name, secret: secretOf(byte) }] } });
const rules = (...resources: { resources: string[]; providers: object[] }[]) =>
  readEncryptionConfiguration({ apiVersion: 'apiserver.config.k8s.io/v1', kind: 'EncryptionConfiguration', resources });
const secrets = (...providers: object[]) => rules({ resources: ['secrets'], providers });

let clock: number | undefined;
function unconfigured() {
  const transformer = new EncryptionAtRest({
    openKms: async (kms) => new KmsProvider({ ...kms, logger: silentLogger, now: () => clock ?? Date.now() }),
  });
  ends.push(() => transformer.close());
  return transformer;
}
async function encryption(configuration = secrets(aesgcm('one', 1), { identity: {} })) {
  const transformer = unconfigured();
  await transformer.use(configuration);
  return transformer;
}
/** As a cluster opens it. */
const open = (path: string, transformer: EncryptionAtRest) =>
  openConfigurationFile({
    path,
    kind: 'EncryptionConfiguration',
    code: 'INVALID_ENCRYPTION_CONFIG',
    logger: silentLogger,
    use: (document) => transformer.use(readEncryptionConfiguration(document)),
  });
async function start(transformer: EncryptionAtRest, store = openMemoryStore()) {
  const api = await startTestApiServer({ transformer, store });
  let running = true;
  const stop = async () => {
    if (running) await api.stop();
    running = false;
  };
  ends.push(stop);
  const stored = async (name: string, resource = 'secrets', namespace = 'default') =>
    Buffer.from((await store.get(`/registry/core/${resource}/${namespace}/${name}`))!.value).toString('latin1');
  return { ...api, store, stored, stop };
}

const path = (resource = 'secrets', namespace = 'default') => `/api/v1/namespaces/${namespace}/${resource}`;
const put = (api: TestApiServer, name: string, resource = 'secrets') =>
  api.client.request({
    method: 'POST',
    path: path(resource),
    body: { metadata: { name }, stringData: { a: 'topsecret' } },
  });
const get = (api: TestApiServer, name: string) =>
  api.client
    .request<{ data: { a: string } }>({ method: 'GET', path: `${path()}/${name}` })
    .then(({ body }) => body.data.a);
const touch = (api: TestApiServer, name: string, annotations: object = {}) =>
  api.client.request<{ metadata: { resourceVersion: string } }>({
    method: 'PATCH',
    path: `${path()}/${name}`,
    contentType: 'application/merge-patch+json',
    body: { metadata: { annotations } },
  });
const PLAIN = Buffer.from('topsecret').toString('base64');

describe('encryption at rest', () => {
  it('encrypts what is configured and nothing else, and reads it after a restart', async () => {
    const transformer = await encryption();
    const first = await start(transformer);
    await put(first, 's');
    await first.client.request({
      method: 'POST',
      path: path('configmaps'),
      body: { metadata: { name: 's' }, data: { a: 'b' } },
    });
    expect(await first.stored('s')).toMatch(/^k8s:enc:aesgcm:v1:one:/);
    expect(await first.stored('s')).not.toMatch(new RegExp(`${PLAIN}|metadata|topsecret`));
    expect(await first.stored('s', 'configmaps')).toMatch(/^\{/);
    await first.stop();
    const second = await start(transformer, first.store);
    expect(await get(second, 's')).toBe(PLAIN);
  });

  it('takes a new key without a restart, and rewrites old values at the next write even when nothing changes', async () => {
    const transformer = await encryption(secrets({ identity: {} }));
    const api = await start(transformer);
    await put(api, 's');
    expect(await api.stored('s')).toMatch(/^\{/);
    await transformer.use(secrets(aesgcm('one', 1), { identity: {} }));
    const { resourceVersion } = (await touch(api, 's')).body.metadata;
    expect(await api.stored('s')).toMatch(/^k8s:enc:aesgcm:v1:one:/);
    expect((await touch(api, 's')).body.metadata.resourceVersion).toBe(resourceVersion);
    await transformer.use(secrets(aesgcm('two', 2), aesgcm('one', 1)));
    expect((await touch(api, 's')).body.metadata.resourceVersion).not.toBe(resourceVersion);
    expect(await api.stored('s')).toMatch(/^k8s:enc:aesgcm:v1:two:/);
    await transformer.use(secrets({ identity: {} }, aesgcm('two', 2)));
    await touch(api, 's');
    expect(await api.stored('s')).toMatch(/^\{/);
  });

  it('says which value it cannot read, serves all others, and reads it once the key is back', async () => {
    const transformer = await encryption(secrets(aesgcm('one', 1)));
    const first = await start(transformer);
    await put(first, 'old');
    await transformer.use(secrets(aesgcm('two', 2), aesgcm('one', 1)));
    await put(first, 'new');
    await first.stop();
    await transformer.use(secrets(aesgcm('two', 2), aesgcm('one', 9)));
    const api = await start(transformer, first.store);
    const message =
      'Internal error occurred: unable to transform key "/registry/core/secrets/default/old": cipher: message authentication failed';
    await expect(get(api, 'old')).rejects.toMatchObject({ code: 500, message });
    await expect(touch(api, 'old')).rejects.toThrow(message);
    await expect(put(api, 'old')).rejects.toThrow(message);
    await expect(api.client.request({ method: 'GET', path: path() })).rejects.toThrow(message);
    await expect(api.client.request({ method: 'GET', path: '/api/v1/secrets' })).rejects.toThrow(message);
    const watched = api.transport.watch({ method: 'GET', path: path(), query: {} }, () => {});
    await expect(watched.done).rejects.toThrow(message);
    expect(await get(api, 'new')).toBe(PLAIN);
    expect(await api.client.request({ method: 'GET', path: path('secrets', 'kube-system') })).toMatchObject({
      body: { items: [] },
    });
    await touch(api, 'new', { x: 'y' });
    await transformer.use(secrets(aesgcm('two', 2)));
    await expect(get(api, 'old')).rejects.toThrow('no matching key was found for the provided AES transformer');
    await transformer.use(secrets({ identity: {} }));
    await expect(get(api, 'old')).rejects.toThrow('identity transformer tried to read encrypted data');
    await transformer.use(secrets(aesgcm('two', 2), aesgcm('one', 1)));
    expect(await get(api, 'old')).toBe(PLAIN);
    const { body } = await api.client.request<{ items: object[] }>({ method: 'GET', path: path() });
    expect(body.items).toHaveLength(2);
  });

  it('ends watches that would miss a value which another server wrote with a key that is not known here', async () => {
    const api = await start(await encryption());
    await put(api, 's');
    const key = '/registry/core/secrets/default/s';
    const write = async (operation: 'put' | 'delete') => {
      const value = Buffer.from('k8s:enc:aesgcm:v1:other:xxxx');
      const operations = [
        operation === 'put' ? ({ type: 'put', key, value } as const) : ({ type: 'delete', key } as const),
      ];
      await api.store.commit({ compare: [], operations });
    };
    const events: string[] = [];
    const watched = api.transport.watch({ method: 'GET', path: path(), query: {} }, (batch) => {
      events.push(...batch.map(({ type }) => type));
    });
    await expect.poll(() => events).toEqual(['ADDED']);
    await write('put');
    await expect(watched.done).rejects.toThrow(
      /^Internal error occurred: unable to transform key "\/registry\/core\/secrets\/default\/s": no matching key was found/,
    );
    await expect(get(api, 's')).rejects.toThrow('unable to transform key');
    await write('delete');
    await expect.poll(() => get(api, 's').catch(({ code }) => code)).toBe(404);
    await put(api, 's');
    expect(await get(api, 's')).toBe(PLAIN);
  });

  it('goes by the most exact rule, unless a wildcard stands before it', async () => {
    const transformer = await encryption(
      rules(
        { resources: ['configmaps'], providers: [{ identity: {} }] },
        { resources: ['*.apps'], providers: [aesgcm('apps', 1)] },
        { resources: ['deployments.apps'], providers: [aesgcm('masked', 1)] },
        { resources: ['*.'], providers: [aesgcm('core', 1)] },
        { resources: ['*.*'], providers: [aesgcm('all', 1)] },
      ),
    );
    const keyOf = async (id: string) =>
      Buffer.from(await transformer.toStorage(Buffer.from('{}'), `/registry/${id}/x/y`))
        .toString('latin1')
        .split(':')[4];
    expect(await keyOf('core/configmaps')).toBeUndefined();
    expect(await keyOf('core/secrets')).toBe('core');
    expect(await keyOf('apps/deployments')).toBe('apps');
    expect(await keyOf('example.com/widgets')).toBe('all');
  });

  it('names file and field of a bad configuration, and never a key', async () => {
    const file = join(dir, 'bad.yaml');
    const failure = async (text: string) => {
      writeFileSync(file, text);
      return open(file, unconfigured()).catch(({ code, message }) => `${code} ${message}`);
    };
    const head =
      'apiVersion: apiserver.config.k8s.io/v1\nkind: EncryptionConfiguration\nresources:\n- resources: [secrets]\n  providers:\n';
    expect(await failure(`${head}  - aesgcm: {keys: [{name: a, secret: c2VjcmV0}]}`)).toBe(
      `INVALID_ENCRYPTION_CONFIG the EncryptionConfiguration file ${file} can't be used: resources[0].providers[0].aesgcm.keys[0].secret: secret is not of the expected length, got 6, expected one of [16 24 32]`,
    );
    expect(await failure(`${head}  - kms: {name: a, endpoint: 'http://x'}`)).toMatch(
      /kms\.apiVersion: KMSv1 is not served/,
    );
    expect(await failure(`${head}  - {}`)).toMatch(/providers\[0\]: provider does not contain any of the expected/);
    expect(await failure(`${head}  - aesgcm: {keys: [{name: a, secret: c2VjcmV0]}`)).toMatch(/line \d+: it is no YAML/);
    expect(await failure(`${head}  - aesgcm: {keys: [{name: a, secret: c2VjcmV0]}`)).not.toMatch(/c2VjcmV0/);
  });

  it('follows the file, and keeps what it has when the file is broken', async () => {
    const file = join(dir, 'followed.yaml');
    const write = (name: string) =>
      writeFileSync(
        file,
        JSON.stringify({
          apiVersion: 'apiserver.config.k8s.io/v1',
          kind: 'EncryptionConfiguration',
          resources: [{ resources: ['secrets'], providers: [aesgcm(name, 1)] }],
        }),
      );
    write('one');
    const transformer = unconfigured();
    ends.push(await open(file, transformer));
    const current = () =>
      Buffer.from(transformer.toStorage(Buffer.from('{}'), '/registry/core/secrets/a/b') as Uint8Array)
        .toString('latin1')
        .split(':')[4];
    writeFileSync(file, 'kind: [');
    await new Promise((resolve) => setTimeout(resolve, 400));
    expect(current()).toBe('one');
    write('two');
    await expect.poll(current, { timeout: 3000 }).toBe('two');
  });
});

describe('a KMS v2 plugin', () => {
  /** XORs with a byte per key ID, over gRPC on a unix socket. */
  async function plugin() {
    const socket = join(dir, `kms-${ends.length}-${Math.random()}.sock`);
    const state = { keyId: 'k1', healthz: 'ok', encrypts: 0, decrypts: 0, refuse: false };
    const xor = (bytes: Buffer, keyId: string) => bytes.map((byte) => byte ^ keyId.charCodeAt(1));
    const server = new grpc.Server();
    const refusal = { code: grpc.status.UNAVAILABLE, details: 'sealed' };
    type Call = grpc.ServerUnaryCall<{ plaintext: Buffer; ciphertext: Buffer; key_id: string }, object>;
    const answer = (make: (request: Call['request']) => object) => (call: Call, done: grpc.sendUnaryData<object>) =>
      state.refuse ? done(refusal) : done(null, make(call.request));
    const definition = fromJSON(KMS_DESCRIPTOR as Parameters<typeof fromJSON>[0], { keepCase: true });
    server.addService(definition['v2.KeyManagementService'] as grpc.ServiceDefinition, {
      Status: answer(() => ({ version: 'v2', healthz: state.healthz, key_id: state.keyId })),
      Encrypt: answer(({ plaintext }) => {
        state.encrypts++;
        return {
          ciphertext: xor(plaintext, state.keyId),
          key_id: state.keyId,
          annotations: { 'a.example.com': Buffer.from('1') },
        };
      }),
      Decrypt: answer(({ ciphertext, key_id }) => {
        state.decrypts++;
        return { plaintext: xor(ciphertext, key_id) };
      }),
    });
    await new Promise((resolve) =>
      server.bindAsync(`unix:${socket}`, grpc.ServerCredentials.createInsecure(), resolve),
    );
    ends.push(() => server.forceShutdown());
    const kms = { kms: { apiVersion: 'v2', name: 'vault', endpoint: `unix://${socket}`, timeout: '2s' } };
    return { state, configuration: secrets(kms, { identity: {} }) };
  }
  afterEach(() => {
    clock = undefined;
  });
  const HEAD = 'k8s:enc:kms:v2:vault:';
  const objectOf = (stored: string) => decodeEncryptedObject(Buffer.from(stored.slice(HEAD.length), 'latin1'));

  it('is asked once per key, follows its rotation, and old values are read and rewritten', async () => {
    const { state, configuration } = await plugin();
    const transformer = await encryption(configuration);
    const first = await start(transformer);
    for (const name of ['a', 'b', 'c']) await put(first, name);
    expect(state).toMatchObject({ encrypts: 1, decrypts: 0 });
    expect((await first.stored('a')).startsWith(HEAD)).toBe(true);
    expect(objectOf(await first.stored('a'))).toMatchObject({ keyId: 'k1', sourceType: 1 });
    state.keyId = 'k2';
    clock = Date.now() + 61_000;
    await transformer.checkKms();
    const { resourceVersion } = (await touch(first, 'a')).body.metadata;
    expect(objectOf(await first.stored('a')).keyId).toBe('k2');
    expect((await touch(first, 'a')).body.metadata.resourceVersion).toBe(resourceVersion);
    await first.stop();
    const second = await start(await encryption(configuration), first.store);
    for (const name of ['a', 'b', 'c']) expect(await get(second, name)).toBe(PLAIN);
    expect(state).toMatchObject({ encrypts: 3, decrypts: 2 });
  });

  it('may fail: readers have what they had, writers three minutes, and values wait for its return', async () => {
    const { state, configuration } = await plugin();
    const transformer = await encryption(configuration);
    const first = await start(transformer);
    await put(first, 'a');
    state.refuse = true;
    clock = Date.now() + 61_000;
    await expect(transformer.checkKms()).rejects.toThrow(/^vault: rpc error: code = UNAVAILABLE desc = sealed$/);
    await put(first, 'b');
    clock = Date.now() + 4 * 60_000;
    await expect(put(first, 'c')).rejects.toThrow(/can't encrypt: rpc error: code = UNAVAILABLE desc = sealed/);
    expect(await get(first, 'b')).toBe(PLAIN);
    await first.stop();
    const second = await start(await encryption(configuration), first.store);
    await expect(get(second, 'a')).rejects.toThrow(/failed to decrypt DEK, error: rpc error: code = UNAVAILABLE/);
    // A configuration whose plugin is not well does not replace one that works.
    const other = await encryption(secrets({ identity: {} }));
    await expect(other.use(configuration)).rejects.toThrow('sealed');
    state.refuse = false;
    expect(await get(second, 'a')).toBe(PLAIN);
    expect(await get(second, 'b')).toBe(PLAIN);
    await put(second, 'c');
  });
});

process.on('exit', () => rmSync(dir, { recursive: true, force: true }));
