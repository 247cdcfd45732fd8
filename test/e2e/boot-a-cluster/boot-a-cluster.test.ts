import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, testImage } from '../../support/images.ts';
import { clusterDown, clusterUp, freePort, k8ts, noContainers, type RunningCluster } from '../../support/k8ts.ts';
import { type Kubectl, kubectlFor } from '../../support/kubectl.ts';
import { networkNamespacesOf, tracesOf } from '../../support/traces.ts';

const reason = noContainers();

interface Status {
  running: boolean;
  ready: boolean;
  pid: number;
  kubeconfig: string;
  addresses: Record<string, string>;
  processes: Record<string, number>;
  timeline: {
    phases: { phase: number; name: string; ready: boolean; ms: number }[];
    components: { component: string; phase: number; state: string; ms?: number; message?: string }[];
  };
}

const server = (name: string, text: string) => [
  {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { app: name } },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: 'web',
          image: BUSYBOX,
          command: ['sh', '-c', `mkdir /www && echo '${text}' > /www/index.html && exec httpd -f -p 8080 -h /www`],
        },
      ],
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name },
    spec: { selector: { app: name }, ports: [{ port: 80, targetPort: 8080 }] },
  },
];

describe.skipIf(reason)(`boot a cluster with real containers${reason ? ` (${reason})` : ''}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-boot-'));
  const dataDir = join(folder, 'data');
  const home = join(folder, 'home');
  const userConfig = join(folder, 'config', 'user-kubeconfig');
  const timings = join(folder, 'timings.json');
  const environment = { ...process.env, HOME: home, KUBECONFIG: userConfig };
  let cluster: RunningCluster;
  let kubectl: Kubectl;
  const status = async (dir = dataDir): Promise<Status> =>
    JSON.parse((await k8ts(['status', '-o', 'json', '--data-dir', dir])).stdout);
  const page = async (client: Kubectl, name: string) => {
    const service = await client.get<{ spec: { clusterIP: string } }>(`service ${name}`);
    return eventually(async () => {
      const response = await fetch(`http://${service.spec.clusterIP}/`, { signal: AbortSignal.timeout(2_000) });
      return response.text();
    });
  };

  beforeAll(async () => {
    cluster = await clusterUp(dataDir, ['--timings', timings, '--merge-kubeconfig'], { env: environment });
    kubectl = await kubectlFor(cluster.kubeconfig);
    const loaded = await k8ts(['image', 'load', '--data-dir', dataDir, await testImage(BUSYBOX)]);
    expect(loaded).toMatchObject({ code: 0, stdout: `loaded ${BUSYBOX}\n` });
  });
  afterAll(async () => {
    await clusterDown(dataDir).catch(() => {});
    rmSync(folder, { recursive: true, force: true });
  });

  it('has five phases ready, with a timeline in status and in the file of --timings', async () => {
    const { timeline, ...state } = await status();
    expect(state).toMatchObject({ running: true, ready: true, pid: cluster.pid, kubeconfig: cluster.kubeconfig });
    expect(timeline.phases.map(({ phase, name, ready }) => [phase, name, ready])).toEqual([
      [1, 'control plane', true],
      [2, 'kubelet', true],
      [3, 'kube-proxy', true],
      [4, 'add-ons', true],
      [5, 'ready', true],
    ]);
    const states = Object.fromEntries(timeline.components.map((entry) => [entry.component, entry.state]));
    expect(states).toMatchObject({
      datastore: 'ready',
      apiserver: 'ready',
      'controller-manager': 'ready',
      scheduler: 'ready',
      'container-runtime': 'ready',
      kubelet: 'ready',
      'pod-network': 'ready',
      'kube-proxy': 'ready',
      dns: 'ready',
      ingress: 'ready',
      dashboard: 'ready',
      'local-path': 'ready',
      plugins: 'skipped',
    });
    expect(timeline.components.filter((entry) => entry.state === 'ready' && !(entry.ms! >= 0))).toEqual([]);
    expect(JSON.parse(readFileSync(timings, 'utf8'))).toEqual(timeline);
    expect(Object.values(state.processes).every((pid) => existsSync(`/proc/${pid}`))).toBe(true);

    const text = await k8ts(['status', '--data-dir', dataDir]);
    expect(text.code).toBe(0);
    for (const line of [/✔ 1 control plane +\d+ ms/, /✔ 5 ready +\d+ ms/, /✔ kubelet +\d+ ms/, /– plugins .*--plugins/])
      expect(text.stdout).toMatch(line);
    expect(text.stdout).toContain(cluster.addresses.apiserver);
    expect(text.stdout).toContain(`k8ts ${cluster.pid}`);
  });

  it('serves real kubectl through the kubeconfig it wrote for its owner alone', async () => {
    expect(statSync(cluster.kubeconfig).mode & 0o777).toBe(0o600);
    expect(await kubectl('get nodes --no-headers')).toMatch(/^\S+\s+Ready\s.*v1\.36/);
    expect(await kubectl('get --raw /readyz')).toBe('ok');
    expect((await kubectl('get namespaces -o name')).split('\n')).toEqual(
      expect.arrayContaining(['namespace/default', 'namespace/kube-system', 'namespace/kube-node-lease']),
    );
  });

  it("merges its context into the user's kubeconfig and touches nothing else of theirs", async () => {
    expect(statSync(userConfig).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder, 'config'))).toEqual(['user-kubeconfig']);
    expect(existsSync(home)).toBe(false);
    const merged = await kubectlFor(userConfig);
    expect(await merged('config get-contexts -o name')).toBe('k8ts\n');
    expect(await merged('auth whoami -o jsonpath={.status.userInfo.username}')).toBe('kubernetes-admin');
  });

  it('is refused a second time on the same data directory, and goes on', async () => {
    for (const detach of [[], ['--detach']]) {
      const second = await k8ts(['up', ...detach, '--data-dir', dataDir, '--api-port', '0']);
      expect(second.code).toBe(1);
      expect(second.stderr).toContain(`is running already (process ${cluster.pid}) [ALREADY_RUNNING]`);
      expect(second.stderr).toContain('k8ts down');
    }
    expect((await status()).ready).toBe(true);
    expect(await kubectl('get --raw /readyz')).toBe('ok');
  });

  it('runs beside a second one that has another data directory and API port', async () => {
    const other = join(folder, 'other');
    const port = await freePort();
    const args = ['up', '--detach', '--data-dir', other, '--api-port', `${port}`, '--disable', 'dns,dashboard'];
    const up = await k8ts([...args, '-o', 'json']);
    expect(up.stderr).toBe('');
    expect(up.code).toBe(0);
    try {
      const state: Status = JSON.parse(up.stdout);
      expect(state.addresses.apiserver).toBe(`https://127.0.0.1:${port}`);
      const disabled = state.timeline.components.filter((entry) => entry.message === 'disabled');
      expect(disabled.map((entry) => [entry.component, entry.state])).toEqual([
        ['dns', 'skipped'],
        ['dashboard', 'skipped'],
      ]);
      const second = await kubectlFor(state.kubeconfig);
      expect((await second.run('get service -n kube-system kube-dns')).code).not.toBe(0);

      await k8ts(['image', 'load', '--data-dir', other, await testImage(BUSYBOX)]);
      await Promise.all([kubectl.apply(server('web', 'first')), second.apply(server('web', 'second'))]);
      await Promise.all([kubectl, second].map((each) => each('wait --for=condition=Ready pod/web --timeout=60s')));
      expect([await page(kubectl, 'web'), await page(second, 'web')]).toEqual(['first\n', 'second\n']);
      const ranges = await Promise.all(
        [kubectl, second].map((each) => each('get nodes -o jsonpath={.items[*].spec.podCIDR}')),
      );
      expect(new Set(ranges).size).toBe(2);
      const namespaces = networkNamespacesOf(other);
      expect(namespaces.length).toBe(1);
      await clusterDown(other);
      expect(tracesOf(other, namespaces)).toEqual([]);
      expect(existsSync(other)).toBe(false);
    } finally {
      await k8ts(['down', '--purge', '--data-dir', other]);
    }
    expect(await page(kubectl, 'web')).toBe('first\n');
  });

  it('leaves nothing on the host after down, and has its objects and pods again after the next up', async () => {
    await kubectl('create configmap kept --from-literal=key=value');
    const before = await kubectl('get configmap kept -o jsonpath={.metadata.uid}');
    const namespaces = networkNamespacesOf(dataDir);
    expect(namespaces.length).toBe(1);
    expect(tracesOf(dataDir, namespaces).length).toBeGreaterThan(6);
    const down = await k8ts(['down', '--data-dir', dataDir]);
    expect(down).toMatchObject({ code: 0, stdout: `stopped (process ${cluster.pid})\n`, stderr: '' });
    expect(tracesOf(dataDir, namespaces)).toEqual([]);
    expect(await k8ts(['status', '-o', 'json', '--data-dir', dataDir])).toMatchObject({
      code: 1,
      stdout: '{"running":false}\n',
    });

    cluster = await clusterUp(dataDir);
    kubectl = await kubectlFor(cluster.kubeconfig);
    expect(await kubectl('get configmap kept -o jsonpath={.metadata.uid}')).toBe(before);
    expect(await page(kubectl, 'web')).toBe('first\n');
    await kubectl('wait --for=condition=Ready pod/web --timeout=60s');
  });

  it('leaves nothing at all after down --purge', async () => {
    writeFileSync(join(folder, 'beside'), 'kept');
    const namespaces = networkNamespacesOf(dataDir);
    const down = await k8ts(['down', '--purge', '--data-dir', dataDir]);
    expect(down).toMatchObject({ code: 0, stdout: `stopped (process ${cluster.pid}); deleted ${dataDir}\n` });
    expect(tracesOf(dataDir, namespaces)).toEqual([]);
    expect(existsSync(dataDir)).toBe(false);
    expect(readFileSync(join(folder, 'beside'), 'utf8')).toBe('kept');
    expect(await (await kubectlFor(userConfig))('config get-contexts -o name')).toBe('');
    const again = await k8ts(['down', '--purge', '--data-dir', dataDir]);
    expect(again).toMatchObject({ code: 0, stdout: `no cluster was running; deleted ${dataDir}\n` });
  });
});
