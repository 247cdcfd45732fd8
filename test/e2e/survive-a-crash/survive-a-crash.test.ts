import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, testImage } from '../../support/images.ts';
import { clusterUp, k8ts, noContainers, type RunningCluster } from '../../support/k8ts.ts';
import { type Kubectl, kubectlFor } from '../../support/kubectl.ts';
import { networkNamespacesOf, processesOf, tracesOf } from '../../support/traces.ts';

const reason = noContainers();

interface PodView {
  metadata: { uid: string };
  status: {
    podIP: string;
    containerStatuses: { containerID: string; restartCount: number; state: { running?: { startedAt: string } } }[];
  };
}

describe.skipIf(reason)(`pods survive a crash of k8ts${reason ? ` (${reason})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-crash-'));
  const dataDir = join(folder, 'data');
  const shared = join(folder, 'shared');
  let cluster: RunningCluster;
  let kubectl: Kubectl;

  /** Counts five times a second and tells the count over HTTP. */
  const counter = [
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'counter', labels: { app: 'counter' } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: 'counter',
            image: BUSYBOX,
            command: [
              'sh',
              '-c',
              'httpd -p 8080 -h /shared; n=0; while true; do n=$((n+1)); echo $n > /shared/n.new; mv /shared/n.new /shared/n; sleep 0.2; done',
            ],
            volumeMounts: [{ name: 'shared', mountPath: '/shared' }],
          },
        ],
        volumes: [{ name: 'shared', hostPath: { path: shared } }],
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'counter' },
      spec: { selector: { app: 'counter' }, ports: [{ port: 80, targetPort: 8080 }] },
    },
  ];
  const counted = () => Number(readFileSync(join(shared, 'n'), 'utf8'));
  const goesOn = async () => {
    const before = counted();
    await eventually(() => counted() > before + 1, { timeoutMs: 5_000 });
  };
  const throughService = async () => {
    const { spec } = await kubectl.get<{ spec: { clusterIP: string } }>('service counter');
    return eventually(async () => {
      const response = await fetch(`http://${spec.clusterIP}/n`, { signal: AbortSignal.timeout(1_000) });
      return Number(await response.text());
    });
  };
  const crash = async () => {
    process.kill(cluster.pid, 'SIGKILL');
    await eventually(() => !processesOf(dataDir).some(({ pid }) => pid === cluster.pid), { intervalMs: 10 });
  };

  beforeAll(async () => {
    mkdirSync(shared);
    cluster = await clusterUp(dataDir);
    kubectl = await kubectlFor(cluster.kubeconfig);
    await k8ts(['image', 'load', '--data-dir', dataDir, await testImage(BUSYBOX)]);
    await kubectl.apply(counter);
    await kubectl('wait --for=condition=Ready pod/counter --timeout=60s');
  });
  afterAll(async () => {
    await k8ts(['down', '--purge', '--data-dir', dataDir]);
    rmSync(folder, { recursive: true, force: true });
  });

  it('goes on counting while k8ts is dead, and the next up adopts the pod as it is', async () => {
    const before = await kubectl.get<PodView>('pod counter');
    expect(await throughService()).toBeGreaterThan(0);
    await crash();
    await goesOn();
    const status = await k8ts(['status', '--data-dir', dataDir]);
    expect(status).toMatchObject({ code: 1, stderr: expect.stringContaining('[NOT_RUNNING]') });
    expect(status.stderr).toContain('k8ts up');

    cluster = await clusterUp(dataDir);
    kubectl = await kubectlFor(cluster.kubeconfig);
    await goesOn();
    await kubectl('wait --for=condition=Ready pod/counter --timeout=30s');
    const after = await kubectl.get<PodView>('pod counter');
    expect(after.metadata.uid).toBe(before.metadata.uid);
    expect(after.status.podIP).toBe(before.status.podIP);
    expect(after.status.containerStatuses).toMatchObject([
      {
        containerID: before.status.containerStatuses[0]!.containerID,
        restartCount: 0,
        state: { running: before.status.containerStatuses[0]!.state.running },
      },
    ]);
    const seen = counted();
    expect(await throughService()).toBeGreaterThanOrEqual(seen);
  });

  it('is adopted also when containerd died with k8ts, and can be deleted as any other', async () => {
    const before = await kubectl.get<PodView>('pod counter');
    const { processes } = JSON.parse((await k8ts(['status', '-o', 'json', '--data-dir', dataDir])).stdout);
    await crash();
    for (const pid of Object.values<number>(processes)) process.kill(pid, 'SIGKILL');
    await goesOn();
    cluster = await clusterUp(dataDir);
    kubectl = await kubectlFor(cluster.kubeconfig);
    await goesOn();
    const after = await kubectl.get<PodView>('pod counter');
    expect(after.status.containerStatuses[0]).toMatchObject({
      containerID: before.status.containerStatuses[0]!.containerID,
      restartCount: 0,
    });
    expect(await throughService()).toBeGreaterThan(0);
    await kubectl('delete pod counter --timeout=20s');
    await kubectl.apply(counter);
    await kubectl('wait --for=condition=Ready pod/counter --timeout=30s');
  });

  it.each(['k8ts', 'k8ts and containerd'])('is cleaned up by down after kill -9 of %s', async (killed) => {
    if (!existsSync(join(dataDir, 'run.json'))) {
      cluster = await clusterUp(dataDir);
      kubectl = await kubectlFor(cluster.kubeconfig);
      await kubectl('wait --for=condition=Ready pod/counter --timeout=60s');
      await goesOn();
    }
    // A pod deleted without grace before goes on its way out while the next one is ready.
    const namespaces = await eventually(() => {
      const found = networkNamespacesOf(dataDir);
      expect(found.length).toBe(1);
      return found;
    });
    const { processes } = JSON.parse((await k8ts(['status', '-o', 'json', '--data-dir', dataDir])).stdout);
    await crash();
    if (killed !== 'k8ts') for (const pid of Object.values<number>(processes)) process.kill(pid, 'SIGKILL');
    await goesOn();
    const down = await k8ts(['down', '--data-dir', dataDir]);
    expect(down).toMatchObject({ code: 0, stderr: '' });
    expect(down.stdout).toMatch(
      /^no cluster was running; cleaned up: containerd \(\d+\), 1 pod, .*interface k8ts-.*nftables table k8ts-/,
    );
    expect(tracesOf(dataDir, namespaces)).toEqual([]);
    expect(await k8ts(['down', '--data-dir', dataDir])).toMatchObject({ stdout: 'no cluster was running\n' });
  });
});
