import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../api/types/core.v1.gen.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { ResourceClient } from '../client/client.ts';
import { ConfigMaps } from '../client/resource-types.gen.ts';
import { startTestApiServer, type TestApiServer } from './testing.ts';

const namespace = 'default';
const WRITERS = 8;
const ROUNDS = 40;

describe('writers that race for one object', () => {
  let test: TestApiServer;
  let configs: ResourceClient<ConfigMap>;
  beforeAll(async () => {
    test = await startTestApiServer();
    configs = test.client.for(ConfigMaps);
  });
  afterAll(() => test.stop());
  const create = (name: string, data: Record<string, string> = {}) =>
    configs.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data });

  it('win each revision one at a time', async () => {
    const created = await create('raced', { count: '0' });
    const won = new Map<string, number>();
    await Promise.all(
      Array.from({ length: WRITERS }, async (_, writer) => {
        for (let round = 0; round < ROUNDS; ) {
          const old = await configs.get({ namespace, name: 'raced' });
          try {
            const count = String(Number(old.data?.count) + 1);
            await configs.update({ ...old, data: { ...old.data, count, [`writer-${writer}`]: String(round) } });
          } catch (error) {
            if (!isStatusError(error, 'Conflict')) throw error;
            continue;
          }
          round++;
          won.set(old.metadata.resourceVersion!, (won.get(old.metadata.resourceVersion!) ?? 0) + 1);
        }
      }),
    );
    const { data } = await configs.get({ namespace, name: 'raced' });
    expect(data?.count).toBe(String(WRITERS * ROUNDS));
    expect(won.size).toBe(WRITERS * ROUNDS);
    expect(won.get(created.metadata.resourceVersion!)).toBe(1);
  });

  it('create it once, and delete it once', async () => {
    for (let round = 0; round < 20; round++) {
      const creations = await Promise.allSettled(Array.from({ length: WRITERS }, () => create('once')));
      expect(creations.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      const deletions = await Promise.allSettled(
        Array.from({ length: WRITERS }, () => configs.delete({ namespace, name: 'once' })),
      );
      expect(deletions.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });

  it('lose nothing by patches, whichever comes in between', async () => {
    await create('patched');
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        configs.patch({ namespace, name: 'patched' }, (['merge', 'strategic'] as const)[index % 2]!, {
          data: { [`key-${index}`]: 'x' },
        }),
      ),
    );
    expect(Object.keys((await configs.get({ namespace, name: 'patched' })).data ?? {})).toHaveLength(60);
  });
});
