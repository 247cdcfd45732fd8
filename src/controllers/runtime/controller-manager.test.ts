import { afterEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import { createClient } from '../../client/create-client.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { ConfigMaps, Leases, Secrets } from '../../client/resource-types.gen.ts';
import { createFakeTransport } from '../../client/testing/fake-transport.ts';
import { createControllerManager, defineController, TerminalError, watch } from './index.ts';
import { runControllers } from './testing/controller-harness.ts';

const stops: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default' } });

/** Keeps a Secret for each ConfigMap. */
const mirror = defineController({
  name: 'mirror',
  watches: [watch(ConfigMaps), watch(Secrets, { ownedBy: ConfigMaps })],
  async reconcile({ key, namespace, name }, { client, informer }) {
    const source = informer(ConfigMaps).get(key);
    if (!source || informer(Secrets).get(key)) return;
    const ownerReferences = [
      { apiVersion: 'v1', kind: 'ConfigMap', name, uid: source.metadata.uid ?? '', controller: true },
    ];
    await client
      .for(Secrets)
      .create({ apiVersion: 'v1', kind: 'Secret', metadata: { namespace, name, ownerReferences } });
  },
});

describe('controller manager', () => {
  it('reconciles what is there, what comes, and what owned objects call for', async () => {
    const run = await runControllers([mirror], { objects: [configMap('a')] });
    stops.push(run.stop);
    await run.eventually(() => run.api.get(Secrets, 'a', 'default'));
    run.api.put(configMap('b'));
    await run.eventually(() => run.api.get(Secrets, 'b', 'default'));
    run.api.remove(Secrets, 'a', 'default');
    await run.eventually(() => run.api.get(Secrets, 'a', 'default'));
    expect(run.manager.ready).toBe(true);
  });

  it('retries errors with backoff, and terminal ones not', async () => {
    const calls: string[] = [];
    const failing = defineController({
      name: 'failing',
      watches: [watch(ConfigMaps)],
      reconcile({ name }) {
        calls.push(name);
        if (name === 'terminal') throw new TerminalError('no use');
        if (calls.filter((call) => call === name).length < 4) throw new Error('not yet');
      },
    });
    const run = await runControllers([failing], { objects: [configMap('terminal'), configMap('flaky')] });
    stops.push(run.stop);
    await run.eventually(() => calls.filter((call) => call === 'flaky').length === 4);
    await new Promise((resolve) => setTimeout(resolve, 60));
    expect(calls.filter((call) => call === 'terminal')).toHaveLength(1);
    expect(calls.filter((call) => call === 'flaky')).toHaveLength(4);
  });

  it('lets one of two lead, and the other take over', async () => {
    const api = createFakeTransport();
    const client = createClient(api);
    const working: string[] = [];
    const start = async (identity: string) => {
      const informers = createInformerFactory(client, { logger: silentLogger });
      const manager = createControllerManager({
        client,
        informers,
        identity,
        logger: silentLogger,
        leaderElection: { leaseDurationMs: 1_000, renewDeadlineMs: 600, retryPeriodMs: 20 },
        controllers: [
          defineController({
            name: 'one',
            watches: [watch(ConfigMaps)],
            reconcile: ({ name }) => void working.push(`${identity} ${name}`),
          }),
        ],
      });
      await manager.start();
      return {
        manager,
        stop: async () => {
          await manager.stop();
          await informers.stop();
        },
      };
    };
    const first = await start('first');
    const second = await start('second');
    stops.push(second.stop);
    expect([first.manager.leading, second.manager.leading]).toEqual([true, false]);
    api.put(configMap('a'));
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(working).toEqual(['first a']);
    await first.stop();
    while (!second.manager.leading) await new Promise((resolve) => setTimeout(resolve, 5));
    while (working.length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    expect(working).toEqual(['first a', 'second a']);
    expect(api.get(Leases, 'kube-controller-manager', 'kube-system')?.spec).toMatchObject({
      holderIdentity: 'second',
      leaseTransitions: 1,
    });
  });
});
