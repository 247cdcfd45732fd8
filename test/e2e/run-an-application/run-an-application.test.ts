import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { get as httpGet } from 'node:http';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX, NODE_IMAGE, WEB_V1, WEB_V2 } from '../../support/images.ts';
import { type Kubectl, runCommand } from '../../support/kubectl.ts';
import { freshNamespace, scenario } from '../../support/scenario.ts';

const application = (host: string) => [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'settings' }, data: { greeting: 'good day' } },
  { apiVersion: 'v1', kind: 'Secret', metadata: { name: 'key' }, stringData: { password: 'open sesame' } },
  {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name: 'web' },
    spec: {
      replicas: 3,
      selector: { matchLabels: { app: 'web' } },
      template: {
        metadata: { labels: { app: 'web' } },
        spec: {
          terminationGracePeriodSeconds: 5,
          containers: [
            {
              name: 'web',
              image: WEB_V1,
              ports: [{ containerPort: 8080, name: 'http' }],
              env: [
                { name: 'GREETING', valueFrom: { configMapKeyRef: { name: 'settings', key: 'greeting' } } },
                { name: 'PASSWORD', valueFrom: { secretKeyRef: { name: 'key', key: 'password' } } },
              ],
              // Services forget the pod before it ends: what every rollout without a gap needs.
              lifecycle: { preStop: { sleep: { seconds: 1 } } },
              readinessProbe: { httpGet: { path: '/', port: 'http' }, periodSeconds: 1 },
              volumeMounts: [{ name: 'settings', mountPath: '/settings' }],
            },
          ],
          volumes: [{ name: 'settings', configMap: { name: 'settings' } }],
        },
      },
    },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name: 'web' },
    spec: { type: 'NodePort', selector: { app: 'web' }, ports: [{ port: 80, targetPort: 'http' }] },
  },
  {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'Ingress',
    metadata: { name: 'web' },
    spec: {
      rules: [
        {
          host,
          http: {
            paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'web', port: { number: 80 } } } }],
          },
        },
      ],
    },
  },
  {
    apiVersion: 'batch/v1',
    kind: 'Job',
    metadata: { name: 'migrate' },
    spec: {
      template: {
        spec: {
          restartPolicy: 'Never',
          containers: [{ name: 'migrate', image: BUSYBOX, command: ['sh', '-c', 'echo migrated'] }],
        },
      },
    },
  },
];

interface PodList {
  items: { metadata: { name: string }; status: { podIP: string; phase: string } }[];
}

scenario('run an application', ({ cluster }) => {
  let kubectl: Kubectl;
  let namespace: string;
  let remove: () => Promise<void>;
  const host = 'shop.example.com';
  const pods = async () => (await kubectl.get<PodList>('pods -l app=web')).items;
  /** A pod that asks from inside of the cluster. */
  const ask = (...args: string[]) => kubectl(['exec', 'client', '--', 'ask', ...args]);

  beforeAll(async () => {
    ({ kubectl, namespace, remove } = await freshNamespace(cluster, 'shop'));
    await kubectl.apply(application(host));
    await kubectl([
      'run',
      'client',
      `--image=${NODE_IMAGE}`,
      '--restart=Never',
      '--overrides={"spec":{"terminationGracePeriodSeconds":1}}',
      '--',
      'sleep',
      '100000',
    ]);
    await kubectl('rollout status deployment/web --timeout=60s');
    await kubectl('wait --for=condition=Ready pod/client --timeout=60s');
  });
  afterAll(() => remove?.());

  it('runs three replicas and completes the Job', async () => {
    expect((await pods()).map((pod) => pod.status.phase)).toEqual(['Running', 'Running', 'Running']);
    await kubectl('wait --for=condition=complete job/migrate --timeout=60s');
    expect(await kubectl('logs job/migrate')).toBe('migrated\n');
    expect(await kubectl('get deployment web --no-headers')).toMatch(/^web\s+3\/3\s+3\s+3\s/);
  });

  it('is reachable by pod address, ClusterIP, DNS name and from the node', async () => {
    const [pod] = await pods();
    const service = await kubectl.get<{ spec: { clusterIP: string; ports: { nodePort: number }[] } }>('service web');
    expect(await ask(`http://${pod!.status.podIP}:8080/`)).toBe(`good day from ${pod!.metadata.name}\n`);
    expect(await ask(`http://${service.spec.clusterIP}/`)).toContain('good day from web-');
    for (const name of ['web', `web.${namespace}`, `web.${namespace}.svc.cluster.local`])
      expect(await ask(`http://${name}/`)).toContain('good day from web-');
    const nodePort = service.spec.ports[0]!.nodePort;
    for (const address of [await nodeIP(), '127.0.0.1'])
      expect(await fetchText(`http://${address}:${nodePort}/`)).toContain('good day from web-');
    expect(await fetchText(`http://${service.spec.clusterIP}/`)).toContain('good day from web-');
  });

  it('spreads requests over all replicas, also of a pod that asks itself', async () => {
    const names = (await pods()).map((pod) => `${pod.metadata.name}\n`);
    const answers = (await ask('-n', '40', 'http://web/hostname')).split(/(?<=\n)/);
    expect(new Set(answers)).toEqual(new Set(names));
    const { spec } = await kubectl.get<{ spec: { clusterIP: string } }>('service web');
    const askItself = `for i in $(seq 40); do printf 'GET /hostname HTTP/1.0\\r\\n\\r\\n' | nc ${spec.clusterIP} 80 | tail -n 1; done`;
    const fromWithin = await kubectl(['exec', names[0]!.trim(), '--', 'sh', '-c', askItself], { timeoutMs: 60_000 });
    expect(new Set(fromWithin.split(/(?<=\n)/))).toEqual(new Set(names));
  });

  it('is reachable through the ingress by host name, and other hosts are not', async () => {
    const port = Number(/:(\d+)/.exec(cluster.addresses.ingress!)![1]);
    await eventually(async () =>
      expect(await fetchText(`http://127.0.0.1:${port}/`, { host })).toContain('good day from web-'),
    );
    await expect(fetchText(`http://127.0.0.1:${port}/`, { host: 'other.example.com' })).rejects.toThrow('404');
    await eventually(async () =>
      expect(await kubectl('get ingress web -o jsonpath={.status.loadBalancer.ingress[0].ip}')).toMatch(/^\d+\./),
    );
  });

  it('finds environment, files and token in the container', async () => {
    const exec = (...command: string[]) => kubectl(['exec', 'deploy/web', '--', ...command]);
    expect(await exec('sh', '-c', 'echo $PASSWORD')).toBe('open sesame\n');
    expect(await exec('cat', '/settings/greeting')).toBe('good day');
    expect(await exec('cat', '/var/run/secrets/kubernetes.io/serviceaccount/namespace')).toBe(namespace);
    expect((await exec('cat', '/var/run/secrets/kubernetes.io/serviceaccount/token')).split('.')).toHaveLength(3);
  });

  it('follows logs, executes with exit codes, copies files and forwards ports', async () => {
    expect(await kubectl('logs deploy/web --tail=1')).toBe('serving v1\n');
    const failed = await kubectl.run(['exec', 'client', '--', 'sh', '-c', 'echo out; echo err >&2; exit 7']);
    expect(failed).toMatchObject({ code: 7, stdout: 'out\n' });
    expect(failed.stderr).toContain('err\n');
    expect(await kubectl(['exec', '-i', 'client', '--', 'cat'], { input: 'through stdin\n' })).toBe('through stdin\n');
    await kubectl(['exec', 'client', '--', 'sh', '-c', 'mkdir -p /tmp/d; seq 1 20000 > /tmp/d/numbers']);
    await kubectl(['cp', 'client:/tmp/d/numbers', '/tmp/k8ts-e2e-numbers']);
    expect(readFileSync('/tmp/k8ts-e2e-numbers', 'utf8').split('\n')).toHaveLength(20001);
    await kubectl(['cp', '/tmp/k8ts-e2e-numbers', 'client:/tmp/back']);
    expect(await kubectl(['exec', 'client', '--', 'tail', '-n', '1', '/tmp/back'])).toBe('20000\n');
    await withPortForward(kubectl, namespace, 'service/web', 80, async (port) => {
      for (let i = 0; i < 3; i++) expect(await fetchText(`http://127.0.0.1:${port}/`)).toContain('good day from web-');
    });
  });

  it('scales, changes the image without a gap, and goes back', async () => {
    await kubectl('scale deployment web --replicas=5');
    await kubectl('rollout status deployment/web --timeout=60s');
    expect(await pods()).toHaveLength(5);
    await kubectl(`set image deployment/web web=${WEB_V2}`);
    const asking = ask('-u', '/tmp/done', 'http://web/version');
    await kubectl('rollout status deployment/web --timeout=90s');
    await kubectl(['exec', 'client', '--', 'touch', '/tmp/done']);
    expect([...new Set((await asking).trim().split('\n'))].sort()).toEqual(['v1', 'v2']);
    await eventually(async () => expect(await ask('http://web/version')).toBe('v2\n'));
    expect(await kubectl('rollout history deployment/web')).toMatch(/REVISION\s+CHANGE-CAUSE\n1\s.*\n2\s/);
    await kubectl('rollout undo deployment/web');
    await kubectl('rollout status deployment/web --timeout=90s');
    await eventually(async () => expect(await ask('http://web/version')).toBe('v1\n'));
  });

  it('leaves nothing behind when it is deleted', async () => {
    const uids = (await kubectl.get<{ items: { metadata: { uid: string } }[] }>('pods')).items.map(
      (pod) => pod.metadata.uid,
    );
    await remove();
    remove = async () => {};
    await eventually(async () => {
      for (const uid of uids) {
        expect((await runCommand('sh', ['-c', 'cat /proc/mounts'])).stdout).not.toContain(uid);
        expect((await runCommand('find', ['/sys/fs/cgroup', '-maxdepth', '6', '-name', `*${uid}*`])).stdout).toBe('');
      }
      expect((await runCommand('nft', ['list', 'ruleset'])).stdout).not.toContain(`${namespace}`);
      expect(readdirSync(`${cluster.dataDir}/kubelet/pods`).filter((uid) => uids.includes(uid))).toEqual([]);
    });
  });

  async function nodeIP(): Promise<string> {
    return kubectl("get nodes -o jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}");
  }
});

/** The body of a 2xx answer; throws the status otherwise. */
function fetchText(url: string, headers: Record<string, string> = {}): Promise<string> {
  return new Promise((resolve, reject) => {
    httpGet(url, { headers, timeout: 5_000, agent: false }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () =>
        response.statusCode! < 300 ? resolve(text) : reject(new Error(`${response.statusCode} ${text}`)),
      );
    }).on('error', reject);
  });
}

async function withPortForward(
  kubectl: Kubectl,
  namespace: string,
  target: string,
  port: number,
  use: (local: number) => Promise<void>,
): Promise<void> {
  const child = spawn(
    kubectl.path,
    ['--kubeconfig', kubectl.kubeconfig, '-n', namespace, 'port-forward', target, `:${port}`],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  try {
    const local = await new Promise<number>((resolve, reject) => {
      let output = '';
      const onData = (chunk: Buffer) => {
        output += chunk;
        const match = /Forwarding from 127\.0\.0\.1:(\d+)/.exec(output);
        if (match) resolve(Number(match[1]));
      };
      child.stdout.on('data', onData);
      child.stderr.on('data', onData);
      child.on('exit', () => reject(new Error(output)));
    });
    await use(local);
  } finally {
    child.kill();
  }
}
