import { mkdtempSync, readFileSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, testImages, WEB_V1 } from '../../support/images.ts';
import { noContainers } from '../../support/k8ts.ts';
import { runCommand } from '../../support/kubectl.ts';
import { kubectlPath, root } from '../../support/tools.ts';
import { Hosts } from './hosts.ts';

const reason = noContainers();
const PROGRAM = join(root, 'bin', 'k8ts');

/** Pods leave a lost node soon. */
const tolerations = ['unreachable', 'not-ready'].map((key) => ({
  key: `node.kubernetes.io/${key}`,
  operator: 'Exists',
  effect: 'NoExecute',
  tolerationSeconds: 1,
}));

const pod = (name: string, nodeName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, labels: { app: 'web' } },
  spec: { nodeName, terminationGracePeriodSeconds: 1, containers: [{ name: 'web', image: WEB_V1 }] },
});

interface Pods {
  items: {
    metadata: { name: string; deletionTimestamp?: string };
    spec: { nodeName: string };
    status: { phase: string; podIP: string; containerStatuses: { restartCount: number; containerID: string }[] };
  }[];
}

describe.skipIf(reason)(`a server and two agents on three hosts${reason ? ` (${reason})` : ''}`, () => {
  const dir = mkdtempSync(join(tmpdir(), 'k8ts-hosts-'));
  const dataDir = (host: string) => join(dir, host);
  let hosts: Hosts;
  let kubectlProgram: string;
  let token: string;
  let server: string;

  const k8ts = (host: string, args: readonly string[]) =>
    hosts.run(host, [process.execPath, PROGRAM, ...args], { timeoutMs: 150_000 });
  const succeed = async (host: string, args: readonly string[]) => {
    const result = await k8ts(host, args);
    if (result.code !== 0)
      throw new Error(`k8ts ${args.join(' ')} exited with ${result.code}:\n${result.stderr}${result.stdout}`);
    return result.stdout;
  };
  const startServer = () =>
    succeed('server', [
      'server',
      '--detach',
      '--data-dir',
      dataDir('server'),
      '--node-monitor-grace-period',
      '16s',
      '--dashboard-port',
      '0',
    ]);
  const startAgent = (host: string) =>
    succeed(host, [
      'agent',
      '--detach',
      '--data-dir',
      dataDir(host),
      '--node-name',
      host,
      '--server',
      server,
      '--token-file',
      join(dataDir('server'), 'join-token'),
    ]);
  const pidOf = (host: string) => JSON.parse(readFileSync(join(dataDir(host), 'run.json'), 'utf8')).pid as number;

  const kubectl = async (args: string | readonly string[], input?: string) => {
    const words = typeof args === 'string' ? args.split(' ') : args;
    const result = await hosts.run(
      'server',
      [kubectlProgram, '--kubeconfig', join(dataDir('server'), 'kubeconfig'), ...words],
      { timeoutMs: 60_000, ...(input ? { input } : {}) },
    );
    if (result.code !== 0)
      throw new Error(`kubectl ${words.join(' ')} exited with ${result.code}:\n${result.stderr}${result.stdout}`);
    return result.stdout;
  };
  const apply = (...items: object[]) =>
    kubectl('apply --validate=false -f -', JSON.stringify({ apiVersion: 'v1', kind: 'List', items }));
  const pods = async (selector: string) => (JSON.parse(await kubectl(`get pods -l ${selector} -o json`)) as Pods).items;
  const running = async (selector: string) =>
    (await pods(selector)).filter(({ metadata, status }) => !metadata.deletionTimestamp && status.phase === 'Running');
  const podIP = (name: string) => kubectl(`get pod ${name} -o jsonpath={.status.podIP}`);
  const ready = (node: string) =>
    kubectl(['get', 'node', node, '-o', 'jsonpath={.status.conditions[?(@.type=="Ready")].status}']);
  /** The last line of what an HTTP server answers to a pod. */
  const ask = async (from: string, host: string, port: number, path = '/hostname') => {
    const script = `printf 'GET ${path} HTTP/1.0\\r\\n\\r\\n' | nc -w 5 ${host} ${port}`;
    return (await kubectl(['exec', from, '--', 'sh', '-c', script])).trim().split('\n').at(-1)!;
  };
  /** The same for a program on a host. */
  const fetchFrom = async (host: string, url: string) => {
    const script = `fetch(${JSON.stringify(url)}, { signal: AbortSignal.timeout(5000) }).then((r) => r.text()).then((t) => process.stdout.write(t.trim()), (e) => { console.error(e); process.exit(1); })`;
    const result = await hosts.run(host, [process.execPath, '-e', script]);
    if (result.code !== 0) throw new Error(result.stderr);
    return result.stdout;
  };

  beforeAll(async () => {
    kubectlProgram = await kubectlPath();
    hosts = await Hosts.make(['server', 'one', 'two']);
    server = `https://${hosts.address('server')}:6443`;
    await startServer();
    token = readFileSync(join(dataDir('server'), 'join-token'), 'utf8').trim();
    await Promise.all([startAgent('one'), startAgent('two')]);
    const images = await testImages();
    await Promise.all(
      ['one', 'two'].map((host) => succeed(host, ['image', 'load', '--data-dir', dataDir(host), ...images])),
    );
    await apply(pod('on-one', 'one'), pod('on-two', 'two'), {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name: 'web' },
      spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 8080 }] },
    });
    await kubectl('wait --for=condition=Ready pod/on-one pod/on-two --timeout=60s');
  });

  afterAll(async () => {
    if (!hosts) return;
    for (const host of ['two', 'one', 'server']) await k8ts(host, ['down', '--purge', '--data-dir', dataDir(host)]);
    await hosts.remove();
    const left = await runCommand('pgrep', ['-fa', dir]);
    expect(left.stdout).toBe('');
  });

  it('gives each node a certificate of its own and its share of the pods', async () => {
    const nodes = JSON.parse(await kubectl('get nodes -o json')).items as {
      metadata: { name: string };
      spec: { podCIDR: string };
      status: { addresses: { type: string; address: string }[] };
    }[];
    expect(nodes.map(({ metadata }) => metadata.name).sort()).toEqual(['one', 'two']);
    expect(new Set(nodes.map(({ spec }) => spec.podCIDR)).size).toBe(2);
    await expect(kubectl('get nodes --as system:node:one --as-group system:nodes')).rejects.toThrow(
      "node 'one' cannot read all nodes, only its own Node object",
    );
    for (const { metadata, status } of nodes)
      expect(status.addresses).toContainEqual({ type: 'InternalIP', address: hosts.address(metadata.name) });
    expect(statSync(join(dataDir('server'), 'join-token')).mode & 0o777).toBe(0o600);
    expect(statSync(join(dataDir('one'), 'pki', 'kubelet-client.key')).mode & 0o777).toBe(0o600);
  });

  it('lets pods of different nodes talk by pod IP, Service and DNS name', async () => {
    expect(await ask('on-one', await podIP('on-two'), 8080)).toBe('on-two');
    expect(await ask('on-two', await podIP('on-one'), 8080)).toBe('on-one');
    for (const from of ['on-one', 'on-two']) {
      const seen = new Set<string>();
      await eventually(async () => seen.add(await ask(from, 'web.default.svc.cluster.local', 80)).size === 2);
      expect([...seen].sort()).toEqual(['on-one', 'on-two']);
    }
  });

  it('carries large packets, and shows pods who asks', async () => {
    await kubectl([
      'exec',
      'on-two',
      '--',
      'sh',
      '-c',
      'head -c 3000000 /dev/zero | tr "\\0" x > /www/large || yes x | head -c 3000000 > /www/large',
    ]);
    const size = await kubectl([
      'exec',
      'on-one',
      '--',
      'sh',
      '-c',
      `printf 'GET /large HTTP/1.0\\r\\n\\r\\n' | nc -w 10 ${await podIP('on-two')} 8080 | wc -c`,
    ]);
    expect(Number(size)).toBeGreaterThan(3_000_000);
    await kubectl([
      'exec',
      'on-two',
      '--',
      'sh',
      '-c',
      'printf "#!/bin/sh\\necho Content-Type: text/plain\\necho\\necho \\$REMOTE_ADDR\\n" > /www/cgi-bin/who && chmod +x /www/cgi-bin/who',
    ]);
    // As an IPv6 socket shows IPv4 addresses: [::ffff:10.244.0.2].
    expect(await ask('on-one', await podIP('on-two'), 8080, '/cgi-bin/who')).toContain(`${await podIP('on-one')}]`);
  });

  it('hides pods behind their node from the outside', async () => {
    const script =
      'require("net").createServer((c) => { c.on("close", () => process.exit()); c.end(c.remoteAddress); }).listen(7000, "0.0.0.0"); setTimeout(() => process.exit(1), 15000)';
    const listening = hosts.run('outside', [process.execPath, '-e', script], { timeoutMs: 20_000 });
    await eventually(async () =>
      expect(
        await kubectl(['exec', 'on-one', '--', 'sh', '-c', `nc -w 3 ${hosts.address('outside')} 7000 < /dev/null`]),
      ).toBe(hosts.address('one')),
    );
    await listening;
  });

  it('answers at the node port of every node, for pods of any', async () => {
    const port = await kubectl('get service web -o jsonpath={.spec.ports[0].nodePort}');
    for (const host of ['one', 'two']) {
      const seen = new Set<string>();
      await eventually(
        async () => seen.add(await fetchFrom('outside', `http://${hosts.address(host)}:${port}/hostname`)).size === 2,
      );
    }
  });

  it('serves logs and exec of both nodes, and ingresses from the server', async () => {
    expect(await kubectl('logs on-two')).toContain('serving v1');
    expect((await kubectl('exec on-one -- hostname')).trim()).toBe('on-one');
    await apply({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'Ingress',
      metadata: { name: 'web' },
      spec: {
        rules: [
          {
            http: {
              paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
            },
          },
        ],
      },
    });
    await eventually(async () =>
      expect(await fetchFrom('outside', `http://${hosts.address('server')}/hostname`)).toMatch(/^on-(one|two)$/),
    );
  });

  it('makes local volumes on the node that the pod runs on', async () => {
    await apply(
      {
        apiVersion: 'v1',
        kind: 'PersistentVolumeClaim',
        metadata: { name: 'data' },
        spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Mi' } } },
      },
      {
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { name: 'writer' },
        spec: {
          restartPolicy: 'Never',
          nodeSelector: { 'kubernetes.io/hostname': 'two' },
          containers: [
            {
              name: 'c',
              image: BUSYBOX,
              command: ['sh', '-c', 'echo kept > /data/file && cat /data/file'],
              volumeMounts: [{ name: 'data', mountPath: '/data' }],
            },
          ],
          volumes: [{ name: 'data', persistentVolumeClaim: { claimName: 'data' } }],
        },
      },
    );
    await kubectl(['wait', '--for=jsonpath={.status.phase}=Succeeded', 'pod/writer', '--timeout=60s']);
    expect(await kubectl('logs writer')).toBe('kept\n');
    await kubectl('delete pod/writer pvc/data --timeout=30s');
    await eventually(async () => expect(await kubectl('get pv -o name')).toBe(''));
  });

  it('says what is wrong when a host can not join', async () => {
    const attempt = async (...args: string[]) => {
      const result = await k8ts('outside', [
        'agent',
        '--runtime',
        'simulated',
        '--data-dir',
        join(dir, 'stranger'),
        '--node-name',
        'stranger',
        '--server',
        server,
        ...args,
      ]);
      return `${result.code} ${/\[([A-Z_]+)\]/.exec(result.stderr)?.[1]}`;
    };
    expect(await attempt('--token', 'nonsense')).toBe('1 JOIN_TOKEN_INVALID');
    expect(await attempt('--token', `${token.slice(0, -4)}zzzz`)).toBe('1 JOIN_TOKEN_REFUSED');
    expect(await attempt('--token', `k8ts1::${'0'.repeat(64)}::${token.split('::')[2]}`)).toBe('1 CA_MISMATCH');
    expect(await attempt('--token', token, '--node-name', 'one')).toBe('1 NODE_NAME_TAKEN');
    expect(await attempt('--token', token, '--server', `https://${hosts.address('server')}:6444`)).toBe(
      '1 SERVER_UNREACHABLE',
    );
    await apply({
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { name: 'bootstrap-token-expire', namespace: 'kube-system' },
      type: 'bootstrap.kubernetes.io/token',
      stringData: {
        'token-id': 'expire',
        'token-secret': '0123456789abcdef',
        'usage-bootstrap-authentication': 'true',
        expiration: new Date(Date.now() - 1000).toISOString(),
      },
    });
    expect(await attempt('--token', `${token.split('::').slice(0, 2).join('::')}::expire.0123456789abcdef`)).toBe(
      '1 JOIN_TOKEN_REFUSED',
    );
    expect(await kubectl('get nodes -o name')).not.toContain('stranger');
  });

  it('goes on when the server is killed and comes back', async () => {
    process.kill(pidOf('server'), 'SIGKILL');
    await startServer();
    await apply(pod('later', 'two'));
    await kubectl('wait --for=condition=Ready pod/later --timeout=60s');
    expect(await ask('later', await podIP('on-one'), 8080)).toBe('on-one');
    await kubectl('delete pod later');
  });

  describe('loses a node', () => {
    beforeAll(async () => {
      await apply({
        apiVersion: 'apps/v1',
        kind: 'Deployment',
        metadata: { name: 'shop' },
        spec: {
          replicas: 2,
          selector: { matchLabels: { app: 'shop' } },
          template: {
            metadata: { labels: { app: 'shop' } },
            spec: {
              terminationGracePeriodSeconds: 1,
              tolerations,
              topologySpreadConstraints: [
                {
                  maxSkew: 1,
                  topologyKey: 'kubernetes.io/hostname',
                  whenUnsatisfiable: 'ScheduleAnyway',
                  labelSelector: { matchLabels: { app: 'shop' } },
                },
              ],
              containers: [{ name: 'shop', image: WEB_V1 }],
            },
          },
        },
      });
      await kubectl('rollout status deployment/shop --timeout=60s');
    });

    it('whose agent is killed: its pods are replaced elsewhere, and those left go on when it is back', async () => {
      expect((await running('app=shop')).map(({ spec }) => spec.nodeName).sort()).toEqual(['one', 'two']);
      const container = await kubectl('get pod on-two -o jsonpath={.status.containerStatuses[0].containerID}');
      process.kill(pidOf('two'), 'SIGKILL');
      await eventually(async () => expect(await ready('two')).toBe('Unknown'), { timeoutMs: 45_000, intervalMs: 500 });
      await eventually(
        async () => expect((await running('app=shop')).map(({ spec }) => spec.nodeName)).toEqual(['one', 'one']),
        { timeoutMs: 45_000, intervalMs: 500 },
      );
      await startAgent('two');
      expect(await ready('two')).toBe('True');
      await eventually(async () => expect(await pods('app=shop')).toHaveLength(2));
      expect(await kubectl('get pod on-two -o jsonpath={.status.containerStatuses[0].containerID}')).toBe(container);
      await eventually(async () => expect(await ask('on-one', await podIP('on-two'), 8080)).toBe('on-two'));
    });

    it('that is stopped: it is drained, leaves nothing behind, and takes pods again later', async () => {
      await succeed('one', ['down', '--data-dir', dataDir('one')]);
      expect(await ready('one')).toBe('False');
      await eventually(async () =>
        expect((await running('app=shop')).map(({ spec }) => spec.nodeName)).toEqual(['two', 'two']),
      );
      expect((await hosts.run('one', ['nft', 'list', 'ruleset'])).stdout.trim()).toBe('');
      const links = JSON.parse((await hosts.run('one', ['ip', '-json', 'link'])).stdout) as { ifname: string }[];
      expect(links.map(({ ifname }) => ifname).sort()).toEqual(['eth0', 'lo']);
      await startAgent('one');
      expect(await kubectl('get node one -o jsonpath={.spec.unschedulable}')).toBe('');
      await eventually(async () => expect(await ask('on-two', await podIP('on-one'), 8080)).toBe('on-one'));
      expect((await running('app=web')).map(({ metadata }) => metadata.name).sort()).toEqual(['on-one', 'on-two']);
    });
  });
});
