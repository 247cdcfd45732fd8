import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Probe } from '../../api/types/core.v1.gen.ts';
import { noContainers, startTestNode, type TestNode } from '../testing/containerd-node.ts';
import { type KubeletOnFakeApi, newPod, startKubelet } from '../testing/kubelet-on-fake-api.ts';

const skip = noContainers();

describe.skipIf(skip)(`probes of containers${skip ? ` (skipped: ${skip})` : ''}`, () => {
  let node: TestNode;
  let k: KubeletOnFakeApi;

  beforeAll(async () => {
    node = await startTestNode('10.204.0.0/24');
    k = await startKubelet({ runtime: node.runtime, dataDir: node.dataDir });
    await k.kubelet.whenReady();
  }, 30_000);

  afterAll(async () => {
    await k?.kubelet.stop();
    await k?.kubelet.removePods();
    await node?.stop();
  }, 30_000);

  const quick = (probe: Probe): Probe => ({ periodSeconds: 1, timeoutSeconds: 1, failureThreshold: 1, ...probe });
  const ready = (name: string, wanted: boolean) =>
    k.when(
      name,
      ({ status }) =>
        status?.conditions?.find(({ type }) => type === 'Ready')?.status === (wanted ? 'True' : 'False') &&
        status.phase === 'Running',
      20_000,
    );
  const server = 'mkdir -p /tmp/www; echo ok > /tmp/www/ok; cd /tmp/www; httpd -p 8080 -h /tmp/www -f';

  it('counts a pod as ready while its probe succeeds', async () => {
    const script = 'touch /tmp/ready; while true; do sleep 0.1; done';
    k.api.put(
      newPod('exec', script, {
        container: { readinessProbe: quick({ exec: { command: ['/bin/cat', '/tmp/ready'] } }) },
      }),
    );
    k.api.put(
      newPod('http', server, {
        container: {
          ports: [{ name: 'web', containerPort: 8080 }],
          readinessProbe: quick({ httpGet: { path: '/ok', port: 'web' } }),
        },
      }),
    );
    k.api.put(newPod('tcp', server, { container: { readinessProbe: quick({ tcpSocket: { port: 8080 } }) } }));
    k.api.put(
      newPod('missing', server, { container: { readinessProbe: quick({ httpGet: { path: '/none', port: 8080 } }) } }),
    );
    for (const name of ['exec', 'http', 'tcp']) await ready(name, true);
    const missing = await ready('missing', false);
    expect(missing.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [main]',
    });
    await expect
      .poll(() => k.events('missing').map(({ message }) => message), { timeout: 5000 })
      .toContain('Readiness probe failed: HTTP probe failed with statuscode: 404');
    const status = k.pod('exec').status?.containerStatuses?.[0];
    await node.runtime.containers.execSync(status?.containerID?.split('://')[1] ?? '', ['/bin/rm', '/tmp/ready'], 5);
    const unready = await ready('exec', false);
    expect(unready.status?.conditions?.find(({ type }) => type === 'Ready')?.reason).toBe('ContainersNotReady');
    for (const name of ['exec', 'http', 'tcp', 'missing']) k.delete(name, 0);
    for (const name of ['exec', 'http', 'tcp', 'missing']) await k.gone(name);
  }, 60_000);

  it('restarts a container whose liveness fails, once it has started', async () => {
    k.api.put(
      newPod('alive', 'trap "exit 0" TERM; sleep 1; touch /tmp/started; while true; do sleep 0.1; done', {
        spec: { restartPolicy: 'Always' },
        container: {
          startupProbe: quick({ exec: { command: ['/bin/cat', '/tmp/started'] }, failureThreshold: 20 }),
          livenessProbe: quick({ exec: { command: ['/bin/false'] }, terminationGracePeriodSeconds: 1 }),
        },
      }),
    );
    await k.when(
      'alive',
      ({ status }) => status?.containerStatuses?.[0]?.started === false && status.phase === 'Running',
    );
    const restarted = await k.when('alive', ({ status }) => status?.containerStatuses?.[0]?.restartCount === 1, 20_000);
    expect(restarted.status?.containerStatuses?.[0]?.lastState?.terminated).toBeDefined();
    const messages = k.events('alive').map(({ message }) => message);
    expect(messages).toContain('Container main failed liveness probe, will be restarted');
    expect(messages.some((message) => message?.startsWith('Liveness probe failed:'))).toBe(true);
    k.delete('alive', 0);
    await k.gone('alive');
  }, 40_000);
});
