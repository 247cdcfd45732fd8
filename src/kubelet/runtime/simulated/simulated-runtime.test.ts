import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Pod, PodStatus } from '../../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../../apimachinery/logger.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { startTestApiServer, type TestApiServer } from '../../../apiserver/testing.ts';
import { Namespaces, Pods } from '../../../client/resource-types.gen.ts';
import { createKubelet, type Kubelet } from '../../kubelet.ts';
import type { ContainerRuntime } from '../container-runtime.ts';
import { createPodAddresses } from './pod-addresses.ts';
import { createSimulatedRuntime } from './simulated-runtime.ts';

describe('a kubelet with the simulated runtime', () => {
  let api: TestApiServer;
  let runtime: ContainerRuntime;
  let kubelet: Kubelet;

  beforeAll(async () => {
    api = await startTestApiServer();
    await api.client
      .for(Namespaces)
      .get({ name: 'default' })
      .catch(() =>
        api.client.for(Namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'default' } }),
      );
    runtime = createSimulatedRuntime({ addresses: createPodAddresses('10.1.2.0/24'), completionMs: 100 });
    kubelet = await createKubelet({
      client: api.client,
      runtime,
      logger: silentLogger,
      nodeName: 'node1',
      nodeIP: '127.0.0.1',
    });
    await kubelet.start();
    await kubelet.whenReady();
  });
  afterAll(async () => {
    await kubelet.stop();
    await runtime.close();
    await api.stop();
  });

  const create = (
    name: string,
    more: {
      annotations?: Record<string, string>;
      spec?: Partial<Pod['spec']>;
      container?: Partial<Pod['spec']['containers'][number]>;
    } = {},
  ) =>
    api.client.for(Pods).create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: {
        name,
        namespace: 'default',
        annotations: Object.fromEntries(
          Object.entries(more.annotations ?? {}).map(([key, value]) => [`simulated.k8ts.dev/${key}`, value]),
        ),
      },
      spec: {
        nodeName: 'node1',
        automountServiceAccountToken: false,
        containers: [{ name: 'main', image: 'nginx', ...more.container }],
        ...more.spec,
      },
    });

  async function when(name: string, until: (status: PodStatus, pod: Pod) => unknown, timeoutMs = 5000): Promise<Pod> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const pod = await api.client.for(Pods).get({ namespace: 'default', name });
      if (until(pod.status ?? {}, pod)) return pod;
      if (Date.now() > deadline) throw new Error(`pod ${name}: ${JSON.stringify(pod.status, undefined, 1)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  const isReady = ({ conditions }: PodStatus) =>
    conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');

  async function remove(name: string): Promise<void> {
    await api.client.for(Pods).delete({ namespace: 'default', name });
    const deadline = Date.now() + 3000;
    for (;;) {
      const left = await api.client
        .for(Pods)
        .get({ namespace: 'default', name })
        .catch((error: unknown) => {
          if (isStatusError(error, 'NotFound')) return undefined;
          throw error;
        });
      if (!left) return;
      if (Date.now() > deadline) throw new Error(`pod ${name} is still there: ${JSON.stringify(left.status)}`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  it('runs a pod in no time and ends it gracefully, leaving nothing', async () => {
    await create('web-warm-up');
    await when('web-warm-up', isReady);
    const begun = performance.now();
    const { metadata } = await create('web', {
      container: {
        readinessProbe: { httpGet: { port: 80 }, periodSeconds: 1 },
        lifecycle: { postStart: { httpGet: { port: 80 } } },
      },
    });
    const pod = await when('web', isReady);
    expect(performance.now() - begun).toBeLessThan(500);
    expect(pod.status).toMatchObject({
      phase: 'Running',
      hostIP: '127.0.0.1',
      podIP: expect.stringMatching(/^10\.1\.2\.\d+$/),
    });
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({
      ready: true,
      restartCount: 0,
      image: 'docker.io/library/nginx:latest',
      containerID: expect.stringMatching(/^simulated:\/\/[0-9a-f]{64}$/),
    });
    const other = await api.client.for(Pods).get({ namespace: 'default', name: 'web-warm-up' });
    expect(other.status?.podIP).not.toBe(pod.status?.podIP);
    const deleted = performance.now();
    await remove('web');
    expect(performance.now() - deleted).toBeLessThan(500);
    await expect
      .poll(async () => (await runtime.sandboxes.list()).filter((sandbox) => sandbox.metadata.uid === metadata.uid))
      .toEqual([]);
  });

  it('completes pods that end, init containers first', async () => {
    await create('job', {
      spec: { restartPolicy: 'Never', initContainers: [{ name: 'prepare', image: 'busybox:1' }] },
    });
    const done = await when('job', ({ phase }) => phase === 'Succeeded');
    expect(done.status?.containerStatuses?.[0]?.state?.terminated).toMatchObject({ exitCode: 0, reason: 'Completed' });
    await create('inits', {
      spec: {
        initContainers: [
          { name: 'prepare', image: 'busybox:1' },
          { name: 'sidecar', image: 'busybox:1', restartPolicy: 'Always' },
        ],
      },
    });
    const running = await when('inits', isReady);
    expect(running.status?.initContainerStatuses?.map(({ state }) => Object.keys(state ?? {})[0])).toEqual([
      'terminated',
      'running',
    ]);
  });

  it('behaves as annotations say, also per container', async () => {
    await create('fails', {
      annotations: { 'exit-code': '3', 'run-seconds': '0.02' },
      spec: { restartPolicy: 'Never' },
    });
    expect(
      (await when('fails', ({ phase }) => phase === 'Failed')).status?.containerStatuses?.[0]?.state?.terminated,
    ).toMatchObject({ exitCode: 3, reason: 'Error' });
    const two = [
      { name: 'main', image: 'nginx' },
      { name: 'short', image: 'nginx' },
    ];
    await create('two', { annotations: { 'run-seconds': '{"short": 0.02}' }, spec: { containers: two } });
    const restarted = await when(
      'two',
      ({ containerStatuses }) => containerStatuses?.[1]?.restartCount === 1 && containerStatuses[1]?.state?.waiting,
    );
    expect(restarted.status?.containerStatuses?.[0]).toMatchObject({ name: 'main', ready: true, restartCount: 0 });
    await create('slow-to-serve', {
      annotations: { 'readiness-probe': '0.3' },
      container: { readinessProbe: { tcpSocket: { port: 1 }, periodSeconds: 1 } },
    });
    expect(isReady((await when('slow-to-serve', ({ phase }) => phase === 'Running')).status ?? {})).toBe(false);
    await when('slow-to-serve', isReady);
    await create('ill', {
      annotations: { 'liveness-probe': 'failure' },
      container: { livenessProbe: { exec: { command: ['true'] }, periodSeconds: 1, failureThreshold: 1 } },
    });
    await when('ill', ({ containerStatuses }) => (containerStatuses?.[0]?.restartCount ?? 0) >= 1);
    await create('no-image', {
      annotations: { 'pull-error': 'manifest unknown' },
      container: { image: 'example.com/none:1' },
    });
    const waiting = await when(
      'no-image',
      ({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting?.reason === 'ErrImagePull',
    );
    expect(waiting.status?.containerStatuses?.[0]?.state?.waiting?.message).toContain('manifest unknown');
    await create('typo', { annotations: { 'run-seconds': 'soon' } });
    const refused = await when(
      'typo',
      ({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting?.reason === 'CreateContainerError',
    );
    expect(refused.status?.containerStatuses?.[0]?.state?.waiting?.message).toBe(
      'annotation simulated.k8ts.dev/run-seconds must be a number of seconds, not "soon"',
    );
  });

  it('backs off what crashes', async () => {
    await create('crash', { annotations: { 'exit-code': '1', 'run-seconds': '0' } });
    const pod = await when(
      'crash',
      ({ containerStatuses }) => containerStatuses?.[0]?.state?.waiting?.reason === 'CrashLoopBackOff',
    );
    expect(pod.status?.containerStatuses?.[0]).toMatchObject({
      restartCount: 1,
      ready: false,
      lastState: { terminated: { exitCode: 1 } },
    });
    await remove('crash');
  });

  it('has logs, exec, port-forward and figures', async () => {
    await create('talks', { annotations: { log: 'hello\nworld', cpu: '250m', memory: '32Mi' } });
    const pod = await when('talks', isReady);
    const id = kubelet.pods.container(pod, 'main')?.id ?? '';
    expect((await runtime.logs?.read(id))?.map(({ text }) => text)).toEqual([
      'simulated container main started',
      'hello',
      'world',
    ]);
    const session = await runtime.streaming.exec(id, ['ls', '-l'], {
      stdin: false,
      stdout: true,
      stderr: true,
      tty: false,
    });
    if (session.kind !== 'local') throw new Error('not local');
    const stdout = new PassThrough();
    expect(await session.run({ stdout, signal: new AbortController().signal })).toEqual({ exitCode: 0 });
    expect(stdout.read()?.toString()).toBe('simulated container main would run: ls -l\n');
    const forward = await runtime.streaming.portForward(kubelet.pods.sandboxId(pod) ?? '', [80]);
    if (forward.kind !== 'local') throw new Error('not local');
    const connection = await forward.connect(80);
    connection.write('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    let answer = '';
    for await (const chunk of connection) answer += String(chunk);
    expect(answer).toContain('simulated pod default/talks, port 80\n');
    const read = async () => (await runtime.stats.containers({ id }))[0];
    const first = await read();
    await new Promise((resolve) => setTimeout(resolve, 50));
    const second = await read();
    const rate =
      ((second?.cpuUsageCoreNanoSeconds ?? 0) - (first?.cpuUsageCoreNanoSeconds ?? 0)) /
      ((second?.timestamp ?? 0) - (first?.timestamp ?? 0));
    expect(rate).toBeCloseTo(250_000, 0);
    expect(second?.memoryWorkingSetBytes).toBe(32 * 1024 * 1024);
    const lines: string[] = [];
    const followed = runtime.logs?.follow(id, ({ text }) => lines.push(text), new AbortController().signal);
    await remove('talks');
    await followed;
    expect(lines.at(-1)).toBe('simulated container main exited with code 143');
  });
});

describe('pod addresses', () => {
  it('are unique, rest before they come again, and run out', () => {
    const addresses = createPodAddresses('10.0.0.0/29');
    const all = Array.from({ length: 5 }, () => addresses.allocate());
    expect(all).toEqual(['10.0.0.2', '10.0.0.3', '10.0.0.4', '10.0.0.5', '10.0.0.6']);
    expect(() => addresses.allocate()).toThrow('no IP addresses available');
    addresses.release('10.0.0.4');
    expect(addresses.allocate()).toBe('10.0.0.4');
    expect(() => createPodAddresses('10.0.0.0')).toThrow(TypeError);
    expect(createPodAddresses().ready).toBe(false);
  });
});
