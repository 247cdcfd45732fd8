import { request as httpsRequest } from 'node:https';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import { startTestApiServer, type TestApiServer } from '../../apiserver/testing.ts';
import { createClient } from '../../client/create-client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import { APIServices, EndpointSlices, Nodes, Pods, Services } from '../../client/resource-types.gen.ts';
import { createFakeTransport, type FakeTransport } from '../../client/testing/fake-transport.ts';
import { openPki } from '../../cluster/pki/pki.ts';
import { createCollector } from './collector.ts';
import { createMetricsApi, type MetricsApi } from './metrics-api.ts';
import { createMetricsServerAddon } from './metrics-server-addon.ts';
import { METRICS_SERVER_NAMES } from './names.ts';
import type { NodeSummary } from './node-summary.ts';
import { createUsageStore } from './usage.ts';

const START = Date.parse('2026-01-01T00:00:00Z');
const at = (seconds: number) => new Date(START + seconds * 1000).toISOString();

describe('the metrics API', () => {
  let transport: FakeTransport;
  let informers: InformerFactory;
  let api: MetricsApi;
  let collect: () => Promise<void>;
  let summary: NodeSummary | undefined;

  const usageOf = (seconds: number, cpuSeconds: number, memory: number, startTime = at(0)) => ({
    startTime,
    cpu: { time: at(seconds), usageCoreNanoSeconds: cpuSeconds * 1e9 },
    memory: { time: at(seconds), workingSetBytes: memory },
  });
  const reading = (seconds: number, cpu: number, webStart = at(0)): NodeSummary => ({
    node: { ...usageOf(seconds, cpu * 4, 2 ** 30, at(-90_000)), nodeName: 'n1' },
    pods: [
      {
        podRef: { namespace: 'default', name: 'web' },
        containers: [
          { name: 'main', ...usageOf(seconds, cpu, 64 * 2 ** 20, webStart) },
          { name: 'side', ...usageOf(seconds, cpu * 2, 1024 * 1500, webStart) },
        ],
      },
      {
        podRef: { namespace: 'other', name: 'blank' },
        containers: [{ name: 'main', ...usageOf(seconds, 0, 0) }, { name: 'new' }],
      },
    ],
  });

  beforeEach(async () => {
    transport = createFakeTransport();
    transport.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1', labels: { zone: 'a' } } });
    transport.put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'silent' } });
    for (const [namespace, name] of [
      ['default', 'web'],
      ['other', 'blank'],
    ]) {
      transport.put({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: name!, namespace: namespace!, labels: { app: name! } },
        status: { phase: 'Running' },
      } as never);
    }
    transport.answer('/api/v1/nodes/n1/proxy/stats/summary', () => {
      if (!summary) throw new Error('the node is gone');
      return summary;
    });
    const client = createClient(transport);
    informers = createInformerFactory(client, { logger: silentLogger });
    const nodes = informers.informer(Nodes);
    const pods = informers.informer(Pods);
    informers.start();
    await informers.whenSynced();
    const usages = createUsageStore();
    api = createMetricsApi({ nodes, pods, usages, now: () => START + 60_000 });
    collect = createCollector({ client, nodes, usages, logger: silentLogger, intervalMs: 15_000 }).collect;
  });
  afterEach(() => informers.stop());

  const get = (path: string, query: Record<string, string> = {}, accept?: string) => {
    const { status, body } = api({
      method: 'GET',
      path: `/apis/metrics.k8s.io/v1beta1/${path}`,
      query,
      ...(accept ? { accept } : {}),
    });
    // biome-ignore lint/suspicious/noExplicitAny: answers of many shapes
    return { status, body: body as any };
  };

  it('has rates from two readings and keeps them while the kubelet repeats itself', async () => {
    summary = reading(100, 10);
    await collect();
    expect(get('nodes').body).toEqual({
      kind: 'NodeMetricsList',
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: {},
      items: [],
    });
    summary = reading(115.5, 13.1);
    await collect();
    const expected = {
      kind: 'PodMetrics',
      apiVersion: 'metrics.k8s.io/v1beta1',
      metadata: {
        name: 'web',
        namespace: 'default',
        labels: { app: 'web' },
        creationTimestamp: '2026-01-01T00:01:00Z',
      },
      timestamp: '2026-01-01T00:01:55Z',
      window: '15.5s',
      containers: [
        { name: 'main', usage: { cpu: '200m', memory: '64Mi' } },
        { name: 'side', usage: { cpu: '400m', memory: '1500Ki' } },
      ],
    };
    expect(get('namespaces/default/pods/web').body).toEqual(expected);
    expect(get('nodes/n1').body).toMatchObject({
      kind: 'NodeMetrics',
      metadata: { name: 'n1', labels: { zone: 'a' } },
      usage: { cpu: '800m', memory: '1Gi' },
    });
    await collect();
    expect(get('pods').body.items).toEqual([expected]);
  });

  it('measures what restarted from its start, and forgets a node that does not answer', async () => {
    summary = reading(100, 10);
    await collect();
    summary = reading(115, 3, at(101));
    await collect();
    expect(get('pods').body.items[0].containers[0]).toEqual({
      name: 'main',
      usage: { cpu: '214285714n', memory: '64Mi' },
    });
    summary = undefined;
    await collect();
    expect(get('pods').body.items).toEqual([]);
    expect(get('nodes').body.items).toEqual([]);
  });

  it('selects, refuses and prints as upstream does', async () => {
    summary = reading(100, 10);
    await collect();
    summary = reading(115, 13);
    await collect();
    expect(get('pods', { labelSelector: 'app=web' }).body.items).toHaveLength(1);
    expect(get('pods', { labelSelector: 'app!=web' }).body.items).toHaveLength(0);
    expect(get('namespaces/other/pods').body.items).toHaveLength(0);
    expect(get('pods', { fieldSelector: 'metadata.namespace=other' }).body.items).toHaveLength(0);
    expect(get('namespaces/default/pods/none')).toMatchObject({
      status: 404,
      body: { message: 'podmetrics.metrics.k8s.io "default/none" not found' },
    });
    expect(get('nodes/silent')).toMatchObject({
      status: 404,
      body: { message: 'nodemetrics.metrics.k8s.io "silent" not found' },
    });
    expect(get('pods', { labelSelector: 'a b' }).status).toBe(400);
    expect(get('secrets').status).toBe(404);
    expect(get('pods', { watch: 'true' }).status).toBe(405);
    const table = get('pods', {}, 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json').body;
    expect(table).toMatchObject({
      kind: 'Table',
      apiVersion: 'meta.k8s.io/v1',
      rows: [{ cells: ['web', '600m', '67036Ki', '15s'] }],
    });
    expect(table.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual([
      'Name',
      'cpu',
      'memory',
      'Window',
    ]);
    expect(
      api({
        method: 'GET',
        path: '/apis',
        query: {},
        accept: 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json',
      }).body,
    ).toMatchObject({
      kind: 'APIGroupDiscoveryList',
      items: [{ versions: [{ resources: [{ resource: 'nodes' }, { resource: 'pods' }] }] }],
    });
  });
});

describe('the add-on', () => {
  let server: TestApiServer;
  beforeEach(async () => {
    server = await startTestApiServer();
  });
  afterEach(() => server.stop());

  it('publishes itself and answers the front proxy alone', async () => {
    const pki = await openPki({});
    const informers = createInformerFactory(server.client, { logger: silentLogger });
    const certificate = await pki.certificate('metrics-server', {
      commonName: 'metrics-server',
      usages: ['server'],
      dnsNames: METRICS_SERVER_NAMES,
    });
    const addon = createMetricsServerAddon({
      client: server.client,
      informers,
      logger: silentLogger,
      address: '127.0.0.1',
      certificate,
      caBundle: pki.ca.cert,
      clientCA: pki.frontProxyCa.cert,
    });
    await addon.start();
    const service = await server.client.for(Services).get({ namespace: 'kube-system', name: 'metrics-server' });
    expect(service.spec).toMatchObject({ type: 'ExternalName', externalName: 'localhost' });
    const port = service.spec?.ports?.[0]?.port;
    const apiService = await server.client.for(APIServices).get({ name: 'v1beta1.metrics.k8s.io' });
    expect(apiService.spec?.service).toEqual({ namespace: 'kube-system', name: 'metrics-server', port });
    const ask = (path: string, options: object) =>
      new Promise<{ status: number | undefined; text: string }>((resolve, reject) => {
        const call = httpsRequest(
          {
            host: 'localhost',
            servername: METRICS_SERVER_NAMES[0],
            port,
            path,
            ca: pki.ca.cert,
            agent: false,
            ...options,
          },
          async (response) => {
            let text = '';
            for await (const chunk of response) text += chunk;
            resolve({ status: response.statusCode, text });
          },
        );
        call.once('error', reject).end();
      });
    const path = '/apis/metrics.k8s.io/v1beta1/nodes';
    expect((await ask(path, {})).status).toBe(401);
    expect((await ask('/readyz', {})).text).toBe('ok');
    const trusted = await pki.frontProxyCertificate('front-proxy-client', {
      commonName: 'front-proxy-client',
      usages: ['client'],
    });
    expect(JSON.parse((await ask(path, trusted)).text)).toMatchObject({ kind: 'NodeMetricsList', items: [] });
    await addon.stop();

    // On an address of the machine it takes an endpoint instead.
    const { publish } = await import('./publish.ts');
    await publish({ client: server.client, address: '192.0.2.7', port: 4443, caBundle: pki.ca.cert });
    expect(
      (await server.client.for(Services).get({ namespace: 'kube-system', name: 'metrics-server' })).spec,
    ).toMatchObject({ type: 'ClusterIP', ports: [{ port: 443 }] });
    expect(
      (await server.client.for(EndpointSlices).get({ namespace: 'kube-system', name: 'metrics-server' })).endpoints?.[0]
        ?.addresses,
    ).toEqual(['192.0.2.7']);
    await informers.stop();
  });
});
