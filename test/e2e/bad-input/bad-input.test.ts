import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openPki } from '../../../src/cluster/pki/pki.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { bodies } from './bodies.ts';
import { type Case, CONFIG_MAPS, named, post } from './case.ts';
import { identities, names, paths } from './names-and-paths.ts';
import { type Answer, RawClient } from './raw-client.ts';
import { patches, reads } from './reads-and-patches.ts';

describe('bad input', () => {
  let embedded: EmbeddedCluster;
  let client: RawClient;
  let watch: Awaited<ReturnType<RawClient['watch']>>;

  beforeAll(async () => {
    embedded = await startEmbedded();
    client = new RawClient(embedded);
    await client.send(CONFIG_MAPS, post(named('kept', { data: { a: '1' } })));
    // What everything below has to leave alone.
    watch = await client.watch(`${CONFIG_MAPS}?watch=true&labelSelector=witness%3Dyes`);
  });
  afterAll(async () => {
    watch.stop();
    client.close();
    await embedded.stop();
  });

  const check = (answer: Answer, code: number, reason: string, message: string | RegExp) => {
    expect(answer.body, answer.text.slice(0, 500)).toMatchObject({
      kind: 'Status',
      apiVersion: 'v1',
      status: 'Failure',
      code,
    });
    expect(answer.body.reason ?? '').toBe(reason);
    if (typeof message === 'string') expect(answer.body.message).toBe(message);
    else expect(answer.body.message).toMatch(message);
    expect(answer.code).toBe(code);
  };
  const run = ([, path, request, code, reason, message]: Case) =>
    client.send(path, request).then((answer) => check(answer, code, reason, message));

  describe('as a body', () => it.each(bodies)('%s', (...row) => run(row)));
  describe('as a name or version', () => it.each(names)('%s', (...row) => run(row)));
  describe('in a read', () => it.each(reads)('%s', (...row) => run(row)));
  describe('as a patch', () => it.each(patches)('%s', (...row) => run(row)));
  describe('as a path', () => it.each(paths)('%s', (...row) => run(row)));
  describe('as an identity', () => it.each(identities)('%s', (...row) => run(row)));

  it('answers an unknown group as a path that leads nowhere', async () => {
    const { code, text } = await client.send('/apis/none.example/v1/things');
    expect({ code, text }).toEqual({ code: 404, text: '404 page not found\n' });
  });

  it('takes an expired certificate for no identity, and one of another authority too', async () => {
    // A cluster of its own, for its keys have to be at hand.
    const other = await startEmbedded({ dataDir: join(embedded.folder, 'data'), datastore: 'memory' });
    const raw = new RawClient(other);
    try {
      const pki = await openPki({ dir: join(embedded.folder, 'data', 'pki') });
      const past = await openPki({
        dir: join(embedded.folder, 'data', 'pki'),
        now: () => Date.now() - 30 * 86_400_000,
      });
      const request = { commonName: 'alice', organizations: ['system:masters'], usages: ['client'] as const };
      expect((await raw.send(CONFIG_MAPS, { identity: await pki.issue(request) })).code).toBe(200);
      check(
        await raw.send(CONFIG_MAPS, { identity: await past.issue({ ...request, ttlMs: 86_400_000 }) }),
        401,
        'Unauthorized',
        'Unauthorized',
      );
      check(
        await raw.send(CONFIG_MAPS, { identity: await (await openPki()).issue(request) }),
        401,
        'Unauthorized',
        'Unauthorized',
      );
    } finally {
      raw.close();
      await other.stop();
    }
  });

  it('warns of unknown and duplicate fields, and ignores them when asked to', async () => {
    const body =
      '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"warned"},"dat":{},"data":{"a":"1","a":"2"}}';
    const warned = await client.send(`${CONFIG_MAPS}?fieldValidation=Warn&dryRun=All`, post(body));
    expect(warned.code).toBe(201);
    expect(warned.headers.warning).toBe('299 - "unknown field \\"dat\\"", 299 - "duplicate field \\"data.a\\""');
    const ignored = await client.send(`${CONFIG_MAPS}?fieldValidation=Ignore&dryRun=All`, post(body));
    expect(ignored.code).toBe(201);
    expect(ignored.headers.warning).toBeUndefined();
    expect(ignored.body).toMatchObject({ data: { a: '2' } });
    expect(ignored.body.dat).toBeUndefined();
  });

  it('keeps a __proto__ key as data', async () => {
    const created = await client.send(
      CONFIG_MAPS,
      post(
        '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"proto"},"data":{"__proto__":"x","constructor":"y"}}',
      ),
    );
    expect(created.code).toBe(201);
    expect(created.text).toContain('"data":{"__proto__":"x","constructor":"y"}');
    expect((await client.send(`${CONFIG_MAPS}/proto`)).text).toContain('"__proto__":"x"');
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('takes an object with 50,000 labels or refuses it, and others wait not long', async () => {
    const labels = Object.fromEntries(Array.from({ length: 50_000 }, (_, i) => [`label-${i}`, `${i}`]));
    const huge = client.send(CONFIG_MAPS, post(named('huge', { metadata: { name: 'huge', labels } })));
    const started = performance.now();
    expect((await client.send('/readyz')).code).toBe(200);
    expect(performance.now() - started).toBeLessThan(3_000);
    expect([201, 413]).toContain((await huge).code);
    await client.send(`${CONFIG_MAPS}/huge`, { method: 'DELETE' });
  });

  it('serves others while connections stand half way', async () => {
    const starts = [
      'GET /api/v1/namespaces HTTP/1.1\r\nHost: x\r\n',
      `POST ${CONFIG_MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"api`,
    ];
    const sockets = await Promise.all(Array.from({ length: 60 }, () => client.socket()));
    for (const [index, socket] of sockets.entries()) socket.write(starts[index % starts.length]!);
    expect((await client.send(CONFIG_MAPS)).code).toBe(200);
    for (const socket of sockets) socket.destroy();
    const garbage = await client.socket();
    const answer = new Promise<string>((resolve) => {
      let text = '';
      garbage.on('data', (chunk) => {
        text += chunk;
      });
      garbage.on('close', () => resolve(text));
    });
    garbage.write('THIS IS NOT HTTP\r\n\r\n');
    expect(await answer).toMatch(/^(HTTP\/1\.1 400 |$)/);
  });

  it('goes on: the watch from before sees what comes', async () => {
    const labeled = named('witness', { metadata: { name: 'witness', labels: { witness: 'yes' } } });
    expect((await client.send(CONFIG_MAPS, post(labeled))).code).toBe(201);
    await client.send(`${CONFIG_MAPS}/witness`, { method: 'DELETE' });
    await eventually(() => expect(watch.events).toEqual(['ADDED witness', 'DELETED witness']), { timeoutMs: 5_000 });
    expect((await client.send('/readyz')).text).toBe('ok');
  });
});
