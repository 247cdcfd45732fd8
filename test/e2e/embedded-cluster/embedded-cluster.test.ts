import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../../src/apimachinery/logger.ts';
import { isStatusError } from '../../../src/apimachinery/status-error.ts';
import { createClient } from '../../../src/client/create-client.ts';
import { createHttpTransport } from '../../../src/client/http-transport.ts';
import { loadKubeconfig } from '../../../src/client/kubeconfig.ts';
import {
  ConfigMaps,
  Deployments,
  Namespaces,
  Nodes,
  Pods,
  ReplicaSets,
} from '../../../src/client/resource-types.gen.ts';
import type { Cluster } from '../../../src/cluster/cluster.ts';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { runCommand } from '../../support/kubectl.ts';
import { root } from '../../support/tools.ts';

const namespace = 'default';
const deployment = (name: string, replicas: number, inNamespace = namespace) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name, namespace: inNamespace },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name } },
      spec: { containers: [{ name: 'main', image: 'registry.example/app:1' }] },
    },
  },
});

describe('a cluster in the process', () => {
  let embedded: EmbeddedCluster;
  let cluster: Cluster;
  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 2 });
    cluster = embedded.cluster;
  });
  afterAll(() => embedded.stop());

  const pods = async (name: string) =>
    (await cluster.client.for(Pods).list({ namespace, labelSelector: `app=${name}` })).items;
  const available = (name: string, replicas: number) =>
    eventually(
      async () =>
        expect((await cluster.client.for(Deployments).get({ namespace, name })).status).toMatchObject({
          replicas,
          availableReplicas: replicas,
          updatedReplicas: replicas,
        }),
      { timeoutMs: 15_000 },
    );

  it('has its phases ready and its nodes Ready', async () => {
    const { phases, components } = cluster.timeline();
    expect(phases).toHaveLength(5);
    expect(components.filter(({ state }) => state !== 'ready' && state !== 'skipped')).toEqual([]);
    const { items } = await cluster.client.for(Nodes).list();
    expect(items.map(({ status }) => status?.conditions?.find(({ type }) => type === 'Ready')?.status)).toEqual([
      'True',
      'True',
    ]);
  });

  it('runs a Deployment, scales it, changes it', async () => {
    const deployments = cluster.client.for(Deployments);
    await deployments.create(deployment('web', 2));
    await available('web', 2);
    for (const { spec, status } of await pods('web')) {
      expect(spec?.nodeName).toMatch(/^node-[12]$/);
      expect(status).toMatchObject({ phase: 'Running', podIP: expect.stringMatching(/^10\.244\./) });
    }
    await deployments.patch({ namespace, name: 'web' }, 'merge', { spec: { replicas: 5 } });
    await available('web', 5);
    expect(new Set((await pods('web')).map(({ spec }) => spec?.nodeName)).size).toBe(2);
    await deployments.patch({ namespace, name: 'web' }, 'strategic', {
      spec: { template: { spec: { containers: [{ name: 'main', image: 'registry.example/app:2' }] } } },
    });
    await eventually(
      async () => {
        const running = await pods('web');
        expect(running.map(({ spec }) => spec?.containers[0]?.image)).toEqual(Array(5).fill('registry.example/app:2'));
      },
      { timeoutMs: 20_000 },
    );
  });

  it('collects what a deleted owner leaves', async () => {
    await cluster.client.for(Deployments).delete({ namespace, name: 'web' });
    await eventually(
      async () => {
        expect((await cluster.client.for(ReplicaSets).list({ namespace })).items).toEqual([]);
        expect(await pods('web')).toEqual([]);
      },
      { timeoutMs: 40_000 },
    );
  });

  it('deletes a namespace with all that is in it', async () => {
    const { client } = cluster;
    await client.for(Namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'doomed' } });
    await client.for(Deployments).create(deployment('d', 3, 'doomed'));
    await client
      .for(ConfigMaps)
      .create({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c', namespace: 'doomed' } });
    await eventually(async () => expect((await client.for(Pods).list({ namespace: 'doomed' })).items).toHaveLength(3));
    await client.for(Namespaces).delete({ name: 'doomed' });
    await eventually(
      async () => {
        await expect(client.for(Namespaces).get({ name: 'doomed' })).rejects.toMatchObject({ status: { code: 404 } });
      },
      { timeoutMs: 40_000 },
    );
    expect((await client.for(Pods).list({ namespace: 'doomed' })).items).toEqual([]);
    expect((await client.for(ConfigMaps).list({ namespace: 'doomed' })).items).toEqual([]);
  });

  it('is independent of another one beside it', async () => {
    const other = await startEmbedded();
    try {
      const configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'mine', namespace } };
      await other.cluster.client.for(ConfigMaps).create(configMap);
      const failure = await cluster.client
        .for(ConfigMaps)
        .get({ namespace, name: 'mine' })
        .catch((error: unknown) => error);
      expect(isStatusError(failure, 'NotFound')).toBe(true);
      expect(other.server).not.toBe(embedded.server);
      // The identity of one is nobody to the other.
      const mixed = {
        ...(await loadKubeconfig(other.cluster.kubeconfig)),
        cert: embedded.identity.cert,
        key: embedded.identity.key,
      };
      const stranger = createClient(createHttpTransport({ ...mixed, logger: silentLogger }));
      const denied = await stranger
        .for(ConfigMaps)
        .list({ namespace })
        .catch((error: unknown) => error);
      await stranger.close();
      expect(isStatusError(denied, 'Unauthorized')).toBe(true);
    } finally {
      await other.stop();
    }
    expect(
      (await cluster.client.for(ConfigMaps).list({ namespace })).items.map(({ metadata }) => metadata.name),
    ).toContain('kube-root-ca.crt');
  });
});

/** Runs in a process of its own, with the built library: prints what is alive before and after. */
const START_AND_STOP = `
import { Cluster, Deployments } from ${JSON.stringify(`${root}/dist/index.js`)};
const alive = () => process.getActiveResourcesInfo().filter((name) => !['Immediate', 'FSReqPromise', 'PipeWrap', 'TTYWrap'].includes(name)).sort();
/** What is alive when nothing is closing any more: handles end a turn or two of the event loop after their close. */
const settled = async () => {
  let now = alive();
  for (let i = 0; i < 100; i++) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    const next = alive();
    if (JSON.stringify(next) === JSON.stringify(now) && !next.includes('SimpleShutdownWrap') && i > 3) break;
    now = next;
  }
  return now;
};
const times = [];
const cycle = async () => {
  const started = performance.now();
  const cluster = await Cluster.start({ runtime: 'simulated', datastore: 'memory', ingressPorts: { http: 0, https: 0 } });
  times.push(Math.round(performance.now() - started));
  const labels = { app: 'web' };
  await cluster.client.for(Deployments).create({
    apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 2, selector: { matchLabels: labels }, template: { metadata: { labels }, spec: { containers: [{ name: 'a', image: 'a:1' }] } } },
  });
  for (;;) {
    const { status } = await cluster.client.for(Deployments).get({ namespace: 'default', name: 'web' });
    if (status?.availableReplicas === 2) break;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await cluster.stop();
  await cluster.stop();
};
await cycle();
const before = await settled();
globalThis.gc();
const heap = process.memoryUsage().heapUsed;
for (let i = 0; i < 10; i++) await cycle();
globalThis.gc();
const after = await settled();
console.log(JSON.stringify({ before, after, times, uid: process.getuid?.(), grownMiB: (process.memoryUsage().heapUsed - heap) / 2 ** 20 }));
// No process.exit: whatever is left keeps the process, and the test waiting.
`;

describe('the built library', () => {
  it('starts and stops ten times without root, leaves nothing and lets the process end', async () => {
    const asRoot = process.getuid?.() === 0;
    const result = await runCommand(
      process.execPath,
      ['--expose-gc', '--input-type=module', '--eval', START_AND_STOP],
      {
        timeoutMs: 110_000,
        ...(asRoot ? { uid: 65_534, env: { PATH: process.env.PATH } } : {}),
      },
    );
    expect(result.code, result.stderr).toBe(0);
    const report = JSON.parse(result.stdout.trim().split('\n').at(-1)!);
    expect(report.uid).not.toBe(0);
    expect(report.after).toEqual(report.before);
    expect(report.grownMiB, JSON.stringify(report)).toBeLessThan(30);
  });
});
