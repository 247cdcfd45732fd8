import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type EmbeddedCluster, startEmbedded } from '../../support/embedded-cluster.ts';
import { eventually } from '../../support/eventually.ts';
import { ApiClient } from './api-client.ts';

const pods = '/api/v1/namespaces/default/pods';
const STRATEGIC = 'strategic-merge-patch+json';

describe('the subresources of pods', () => {
  let embedded: EmbeddedCluster;
  let api: ApiClient;
  beforeAll(async () => {
    embedded = await startEmbedded({ nodes: 1 });
    api = new ApiClient(embedded);
    await eventually(() => api.ok('/api/v1/namespaces/default/serviceaccounts/default'));
  });
  afterAll(async () => {
    api.close();
    await embedded.stop();
  });

  const container = { name: 'main', image: 'registry.example/app:1' };
  const create = async (name: string, spec: object = {}, labels: object = {}) => {
    await api.ok(pods, {
      method: 'POST',
      body: {
        metadata: { name, labels },
        spec: { terminationGracePeriodSeconds: 0, containers: [container], ...spec },
      },
    });
  };
  const running = (name: string) =>
    eventually(async () => {
      const pod = await api.ok(`${pods}/${name}`);
      expect(pod.status.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
      return pod;
    });

  it('count generations from 1, and the kubelet says which it has seen', async () => {
    await create('counted', { activeDeadlineSeconds: 600 });
    const first = await running('counted');
    expect(first.metadata.generation).toBe(1);
    await eventually(async () => expect((await api.ok(`${pods}/counted`)).status.observedGeneration).toBe(1));
    const changed = await api.patch(`${pods}/counted`, STRATEGIC, { spec: { activeDeadlineSeconds: 500 } });
    expect(changed.body.metadata.generation).toBe(2);
    const labeled = await api.patch(`${pods}/counted`, STRATEGIC, { metadata: { labels: { a: 'b' } } });
    expect(labeled.body.metadata.generation).toBe(2);
    await eventually(async () => {
      const { status } = await api.ok(`${pods}/counted`);
      expect(status.observedGeneration).toBe(2);
      expect(status.conditions.find(({ type }: { type: string }) => type === 'Ready').observedGeneration).toBe(2);
    });
  });

  it('resize containers in place, and nothing else', async () => {
    const resources = { requests: { cpu: '100m', memory: '64Mi' }, limits: { cpu: '200m', memory: '128Mi' } };
    await create('resized', { containers: [{ ...container, resources }] });
    await running('resized');
    const cpu = (value: string) => ({
      spec: { containers: [{ name: 'main', resources: { requests: { cpu: value } } }] },
    });
    const direct = await api.patch(`${pods}/resized`, STRATEGIC, cpu('150m'));
    expect(direct.code).toBe(422);
    const done = await api.patch(`${pods}/resized/resize`, STRATEGIC, cpu('150m'));
    expect(done.code, done.body.message).toBe(200);
    expect(done.body.metadata.generation).toBe(2);
    expect(done.body.spec.containers[0].resources.requests).toEqual({ cpu: '150m', memory: '64Mi' });
    await eventually(async () => {
      const { status } = await api.ok(`${pods}/resized`);
      expect(status.containerStatuses[0].resources?.requests?.cpu).toBe('150m');
    });
    const other = await api.patch(`${pods}/resized/resize`, STRATEGIC, {
      spec: { containers: [{ name: 'main', image: 'other' }] },
    });
    expect(other.body.spec?.containers[0].image ?? container.image).toBe(container.image);
    const qos = await api.patch(`${pods}/resized/resize`, STRATEGIC, {
      spec: { containers: [{ name: 'main', resources: { requests: { cpu: '200m', memory: '128Mi' } } }] },
    });
    expect(qos.code).toBe(422);
    expect(qos.body.message).toContain('Pod QOS Class may not change as a result of resizing');
  });

  it('add ephemeral containers, and never change or remove them', async () => {
    await create('debugged');
    await running('debugged');
    const at = `${pods}/debugged/ephemeralcontainers`;
    const added = await api.patch(at, STRATEGIC, {
      spec: { ephemeralContainers: [{ name: 'debug', image: 'tools:1' }] },
    });
    expect(added.code, added.body.message).toBe(200);
    expect(added.body.metadata.generation).toBe(2);
    expect(added.body.spec.ephemeralContainers).toMatchObject([{ name: 'debug', terminationMessagePolicy: 'File' }]);
    const removed = await api.patch(at, 'json-patch+json', [{ op: 'remove', path: '/spec/ephemeralContainers' }]);
    expect(removed.body.message).toContain('existing ephemeral containers "debug" may not be removed');
    const changed = await api.patch(at, STRATEGIC, {
      spec: { ephemeralContainers: [{ name: 'debug', image: 'tools:2' }] },
    });
    expect(changed.body.message).toContain('existing ephemeral containers "debug" may not be changed');
  });

  it('refuse evictions that budgets do not allow: 429 for one, 500 for two', async () => {
    await create('kept', {}, { app: 'kept' });
    await running('kept');
    const budgets = '/apis/policy/v1/namespaces/default/poddisruptionbudgets';
    const budget = (name: string) => ({
      metadata: { name },
      spec: { minAvailable: 1, selector: { matchLabels: { app: 'kept' } } },
    });
    const evict = (query = '') =>
      api.send(`${pods}/kept/eviction${query}`, {
        method: 'POST',
        body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'kept' } },
      });
    await api.ok(budgets, { method: 'POST', body: budget('one') });
    await eventually(async () => expect((await api.ok(`${budgets}/one`)).status.currentHealthy).toBe(1));
    const refused = await evict();
    expect(refused.code).toBe(429);
    expect(refused.body).toMatchObject({
      reason: 'TooManyRequests',
      message: "Cannot evict pod as it would violate the pod's disruption budget.",
      details: {
        causes: [
          { reason: 'DisruptionBudget', message: 'The disruption budget one needs 1 healthy pods and has 1 currently' },
        ],
      },
    });
    await api.ok(budgets, { method: 'POST', body: budget('two') });
    const confused = await eventually(async () => {
      const answer = await evict();
      return answer.code === 500 && answer;
    });
    expect(confused.body.message).toContain(
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    );
    await api.ok(`${budgets}/two`, { method: 'DELETE' });
    await api.patch(`${budgets}/one`, 'merge-patch+json', { spec: { minAvailable: 0 } });
    await eventually(async () => expect((await api.ok(`${budgets}/one`)).status.disruptionsAllowed).toBe(1));
    expect((await evict('?dryRun=All')).code).toBe(201);
    expect((await evict()).code).toBe(201);
    await eventually(async () => expect((await api.send(`${pods}/kept`)).code).toBe(404));
  });

  it('bind once, to a node that is named', async () => {
    await create('bound', { schedulerName: 'nobody' });
    const bind = (target: object) =>
      api.send(`${pods}/bound/binding`, {
        method: 'POST',
        body: { apiVersion: 'v1', kind: 'Binding', metadata: { name: 'bound' }, target },
      });
    expect((await bind({ kind: 'Node', name: '' })).code).toBe(422);
    const kind = await bind({ kind: 'Pod', name: 'x' });
    expect(kind.body.message).toContain('target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>"');
    expect((await bind({ kind: 'Node', name: 'node-1' })).code).toBe(201);
    const again = await bind({ kind: 'Node', name: 'node-2' });
    expect(again.code).toBe(409);
    expect(again.body.message).toContain('pod bound is already assigned to node "node-1"');
  });

  it('get the priority of their class', async () => {
    const classes = '/apis/scheduling.k8s.io/v1/priorityclasses';
    await api.ok(classes, {
      method: 'POST',
      body: { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' },
    });
    await create('important', { priorityClassName: 'high' });
    expect((await api.ok(`${pods}/important`)).spec).toMatchObject({ priority: 1000, preemptionPolicy: 'Never' });
    const none = await api.send(pods, {
      method: 'POST',
      body: { metadata: { name: 'x' }, spec: { priorityClassName: 'none', containers: [container] } },
    });
    expect(none.code).toBe(403);
    expect(none.body.message).toContain('no PriorityClass with name none was found');
    const claimed = await api.send(pods, {
      method: 'POST',
      body: { metadata: { name: 'x' }, spec: { priority: 5, priorityClassName: 'high', containers: [container] } },
    });
    expect(claimed.code).toBe(403);
    expect(claimed.body.message).toContain('the integer value of priority (5) must not be provided in pod spec');
  });
});
