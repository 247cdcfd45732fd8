import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX } from '../../support/images.ts';
import { type Kubectl, kubectlFor } from '../../support/kubectl.ts';
import { freshNamespace, scenario } from '../../support/scenario.ts';

const deployment = (name: string, replicas: number, annotations: object, container: object) => ({
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name },
  spec: {
    replicas,
    selector: { matchLabels: { app: name } },
    template: {
      metadata: { labels: { app: name }, annotations },
      spec: { terminationGracePeriodSeconds: 0, containers: [{ name, ...container }] },
    },
  },
});

/** The rows of a table without its head, by the first column. */
function rows(table: string): Map<string, string[]> {
  const lines = table.trim().split('\n').slice(1);
  return new Map(lines.map((line) => line.trim().split(/\s+/)).map(([name, ...cells]) => [name!, cells]));
}

const millicores = (cell: string | undefined) => Number(/^(\d+)m$/.exec(cell ?? '')?.[1]);
const mebibytes = (cell: string | undefined) => Number(/^(\d+)Mi$/.exec(cell ?? '')?.[1]);

describe('metrics of simulated nodes', () => {
  let embedded: EmbeddedCluster;
  let kubectl: Kubectl;

  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 3 });
    kubectl = await embedded.kubectl();
    const usage = { 'simulated.k8ts.dev/cpu': '150m', 'simulated.k8ts.dev/memory': '64Mi' };
    await kubectl.apply(
      deployment('busy', 6, usage, { image: 'example.com/busy:1', resources: { requests: { cpu: '100m' } } }),
    );
    await kubectl('rollout status deployment/busy --timeout=30s');
  });
  afterAll(() => embedded?.stop());

  it('have an APIService that is available, beside those of the built-in groups', async () => {
    const services = rows(await kubectl('get apiservices'));
    expect(services.get('v1beta1.metrics.k8s.io')).toMatchObject([
      'kube-system/metrics-server',
      'True',
      expect.anything(),
    ]);
    for (const name of ['v1.', 'v1.apps', 'v2.autoscaling', 'v1.rbac.authorization.k8s.io'])
      expect(services.get(name)).toMatchObject(['Local', 'True', expect.anything()]);
    expect(await kubectl('api-resources --api-group=metrics.k8s.io')).toMatch(
      /pods .*metrics.k8s.io\/v1beta1 +true +PodMetrics/,
    );
  });

  it('are shown by kubectl top, as the pods use them', async () => {
    const pods = await eventually(async () => {
      const found = rows(await kubectl('top pods -l app=busy'));
      expect(found.size).toBe(6);
      return found;
    });
    for (const [cpu, memory] of pods.values()) {
      expect(Math.abs(millicores(cpu) - 150)).toBeLessThan(30);
      expect(mebibytes(memory)).toBe(64);
    }
    expect(await kubectl('top pods --containers -l app=busy')).toContain(' busy ');
    const nodes = await eventually(async () => {
      const found = rows(await kubectl('top nodes'));
      expect(found.size).toBe(3);
      return found;
    });
    expect([...nodes.keys()].sort()).toEqual(['node-1', 'node-2', 'node-3']);
    expect(await kubectl('top nodes')).toContain('CPU(cores)');
  });

  it('are for those who may see pods, and for nobody else', async () => {
    await kubectl('create serviceaccount viewer');
    const as = '--as=system:serviceaccount:default:viewer --as-group=system:serviceaccounts';
    expect((await kubectl.run(`top pods ${as}`)).stderr).toContain(
      'cannot list resource "pods" in API group "metrics.k8s.io"',
    );
    await kubectl('create rolebinding viewer --clusterrole=view --serviceaccount=default:viewer');
    await eventually(async () => rows(await kubectl(`top pods ${as}`)).size >= 6);
  });

  it('drive a HorizontalPodAutoscaler', async () => {
    await kubectl('autoscale deployment busy --min=1 --max=9 --cpu-percent=100');
    await eventually(
      async () => (await kubectl.get<{ spec: { replicas: number } }>('deployment busy')).spec.replicas === 9,
      { timeoutMs: 60_000 },
    );
  });

  it('come with addresses of pods that are distinct on all nodes', async () => {
    const addresses = (await kubectl("get pods -A -o jsonpath='{.items[*].status.podIP}'")).split(' ');
    expect(new Set(addresses).size).toBe(addresses.length);
  });
});

scenario('metrics of real containers', (shared) => {
  let namespace: Awaited<ReturnType<typeof freshNamespace>>;

  beforeAll(async () => {
    namespace = await freshNamespace(shared.cluster, 'metrics');
  });
  afterAll(() => namespace?.remove());

  it('tell a container that works from one that sleeps', async () => {
    const { kubectl } = namespace;
    const run = (name: string, ...command: string[]) =>
      deployment(
        name,
        1,
        {},
        { image: BUSYBOX, command: ['sh', '-c', ...command], resources: { limits: { cpu: '200m' } } },
      );
    await kubectl.apply([
      run('worker', 'trap "exit 0" TERM; while true; do :; done'),
      run('sleeper', 'trap "exit 0" TERM; sleep 1000000 & wait'),
    ]);
    await kubectl('rollout status deployment/worker --timeout=60s');
    await kubectl('rollout status deployment/sleeper --timeout=60s');
    const usage = async (app: string) => [...rows(await kubectl(`top pods -l app=${app}`)).values()][0];
    await eventually(
      async () => {
        expect(millicores((await usage('worker'))?.[0])).toBeGreaterThan(100);
        expect(millicores((await usage('sleeper'))?.[0])).toBeLessThan(20);
      },
      { timeoutMs: 90_000, intervalMs: 1000 },
    );
    expect(mebibytes((await usage('worker'))?.[1])).toBeLessThan(50);
  });

  it('show the node', async () => {
    const plain = await kubectlFor(shared.cluster.kubeconfig);
    const [node] = rows(await plain('top nodes')).values();
    expect(millicores(node?.[0])).toBeGreaterThan(0);
    expect(mebibytes(node?.[2])).toBeGreaterThan(100);
  });
});
