import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import type { Body } from '../api-behaviours/api-client.ts';
import {
  ConformanceCluster,
  conditionOf,
  container,
  JSON_PATCH,
  MERGE,
  STRATEGIC,
  seen,
} from './conformance-cluster.ts';

const apps = (namespace: string, resource: string) => `/apis/apps/v1/namespaces/${namespace}/${resource}`;
const podsOf = (namespace: string) => `/api/v1/namespaces/${namespace}/pods`;
const jobsOf = (namespace: string) => `/apis/batch/v1/namespaces/${namespace}/jobs`;
const simulated = (annotations: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(annotations).map(([key, value]) => [`simulated.k8ts.dev/${key}`, value]));

interface Template {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly image?: string;
}

/** A workload of the apps group whose pods end at once when they are told to. */
const workload = (name: string, { labels, annotations = {}, spec = {}, image }: Template, more: object = {}) => ({
  metadata: { name, labels },
  spec: {
    selector: { matchLabels: labels },
    template: {
      metadata: { labels, annotations: simulated(annotations) },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [container('main', image ? { image } : {})],
        ...spec,
      },
    },
    ...more,
  },
});

describe.concurrent('workloads do what the conformance suite asks of them:', () => {
  let cluster: ConformanceCluster;
  beforeAll(async () => {
    cluster = await ConformanceCluster.start();
  });
  afterAll(() => cluster.stop());

  const imagesOf = async (namespace: string) =>
    (await cluster.items(podsOf(namespace))).map(({ spec }) => spec.containers[0].image);
  const statusOf = async (path: string) => (await cluster.get(path)).status as Body;

  it('a Deployment adopts a ReplicaSet and goes on from its revision, which is of 64 bits', async () => {
    const namespace = await cluster.namespace();
    const labels = { name: 'sample-pod', pod: 'httpd' };
    const old = workload('test-rolling-update-controller', { labels, image: 'httpd' }, { replicas: 1 });
    const annotations = { 'deployment.kubernetes.io/revision': '3546343826724305832' };
    await cluster.post(apps(namespace, 'replicasets'), { ...old, metadata: { ...old.metadata, annotations } });
    await cluster.post(apps(namespace, 'deployments'), workload('rolling', { labels }, { replicas: 1 }));
    await eventually(async () => {
      const { metadata, status } = await cluster.get(`${apps(namespace, 'deployments')}/rolling`);
      expect(metadata.annotations).toMatchObject({ 'deployment.kubernetes.io/revision': '3546343826724305833' });
      expect(status).toMatchObject({ replicas: 1, updatedReplicas: 1, availableReplicas: 1 });
    });
    const adopted = await cluster.get(`${apps(namespace, 'replicasets')}/test-rolling-update-controller`);
    expect(adopted.spec.replicas).toBe(0);
    expect(adopted.metadata).toMatchObject({ ownerReferences: [{ kind: 'Deployment', name: 'rolling' }] });
  });

  it('a Deployment scales in proportion while its rollout is stuck', async () => {
    const namespace = await cluster.namespace();
    const deployments = apps(namespace, 'deployments');
    const strategy = { type: 'RollingUpdate', rollingUpdate: { maxSurge: 3, maxUnavailable: 2 } };
    const web = { labels: { name: 'web' } };
    await cluster.post(deployments, workload('web', web, { replicas: 10, strategy }));
    await eventually(async () => expect(await statusOf(`${deployments}/web`)).toMatchObject({ availableReplicas: 10 }));
    const first = (await cluster.items(apps(namespace, 'replicasets')))[0]!.metadata.name;
    await cluster.patch(`${deployments}/web`, STRATEGIC, {
      spec: {
        template: {
          metadata: { annotations: simulated({ 'pull-error': 'not found' }) },
          spec: { containers: [{ name: 'main', image: 'web:404' }] },
        },
      },
    });
    const sizes = async () => {
      const sets = await cluster.items(apps(namespace, 'replicasets'));
      const size = (set: Body | undefined) => set?.spec.replicas;
      return [
        size(sets.find(({ metadata }) => metadata.name === first)),
        size(sets.find((s) => s.metadata.name !== first)),
      ];
    };
    await eventually(async () => expect(await sizes()).toEqual([8, 5]));
    await cluster.patch(`${deployments}/web`, MERGE, { spec: { replicas: 30 } });
    await eventually(async () => expect(await sizes()).toEqual([20, 13]));
  });

  it('a DaemonSet rolls back without restarting what was not changed yet', async () => {
    const namespace = await cluster.namespace();
    const path = `${apps(namespace, 'daemonsets')}/logs`;
    await cluster.post(apps(namespace, 'daemonsets'), workload('logs', { labels: { name: 'logs' }, image: 'good' }));
    await eventually(async () => expect(await statusOf(path)).toMatchObject({ numberReady: 2 }));
    await cluster.patch(path, STRATEGIC, {
      spec: {
        template: {
          metadata: { annotations: simulated({ 'pull-error': 'not found' }) },
          spec: { containers: [{ name: 'main', image: 'bad' }] },
        },
      },
    });
    await eventually(async () => expect((await imagesOf(namespace)).sort()).toEqual(['bad', 'good']));
    const kept = (await cluster.items(podsOf(namespace))).find(({ spec }) => spec.containers[0].image === 'good')!;
    await cluster.patch(path, JSON_PATCH, [
      { op: 'remove', path: '/spec/template/metadata/annotations' },
      { op: 'replace', path: '/spec/template/spec/containers/0/image', value: 'good' },
    ]);
    await eventually(async () => {
      expect(await statusOf(path)).toMatchObject({ updatedNumberScheduled: 2, numberAvailable: 2 });
      const uids = (await cluster.items(podsOf(namespace))).map(({ metadata }) => metadata.uid);
      expect(uids).toContain(kept.metadata.uid);
    });
  });

  describe('a StatefulSet', () => {
    const gated = { readinessGates: [{ conditionType: 'healthy' }] };
    const labels = { foo: 'bar' };
    const gate = (namespace: string, ordinal: number, status: 'True' | 'False') =>
      cluster.patch(`${podsOf(namespace)}/ss-${ordinal}/status`, STRATEGIC, {
        status: { conditions: [{ type: 'healthy', status }] },
      });
    const ready = (namespace: string, count: number) =>
      eventually(async () => {
        const status = await statusOf(`${apps(namespace, 'statefulsets')}/ss`);
        expect(status.readyReplicas ?? 0).toBe(count);
        return status;
      });
    const scale = (namespace: string, replicas: number) =>
      cluster.patch(`${apps(namespace, 'statefulsets')}/ss/scale`, MERGE, { spec: { replicas } });

    it('scales in order, and halts while a pod is unhealthy', async () => {
      const namespace = await cluster.namespace();
      const watch = await cluster.api.watch(`${podsOf(namespace)}?watch=1`);
      const names = (type: string) =>
        watch.events.filter((event) => event.type === type).map(({ object }) => object.metadata.name);
      const set = workload('ss', { labels, spec: gated }, { replicas: 1, serviceName: 'test' });
      await cluster.post(apps(namespace, 'statefulsets'), set);
      await eventually(() => gate(namespace, 0, 'True'));
      await ready(namespace, 1);
      await gate(namespace, 0, 'False');
      await ready(namespace, 0);
      await scale(namespace, 3);
      await eventually(async () => {
        const { metadata, status } = await cluster.get(`${apps(namespace, 'statefulsets')}/ss`);
        expect(status.observedGeneration).toBe(metadata.generation);
      });
      expect(names('ADDED')).toEqual(['ss-0']);
      for (const ordinal of [0, 1, 2]) await eventually(() => gate(namespace, ordinal, 'True'));
      await ready(namespace, 3);
      await scale(namespace, 0);
      await seen(watch, ({ type, object }) => type === 'DELETED' && object.metadata.name === 'ss-0');
      expect(names('ADDED')).toEqual(['ss-0', 'ss-1', 'ss-2']);
      expect(names('DELETED')).toEqual(['ss-2', 'ss-1', 'ss-0']);
      watch.stop();
    });

    it('scales in bursts when it is parallel, healthy or not', async () => {
      const namespace = await cluster.namespace();
      const parallel = { replicas: 1, serviceName: 'test', podManagementPolicy: 'Parallel' };
      await cluster.post(apps(namespace, 'statefulsets'), workload('ss', { labels, spec: gated }, parallel));
      await scale(namespace, 3);
      await eventually(async () => expect(await cluster.items(podsOf(namespace))).toHaveLength(3));
      await ready(namespace, 0);
      await scale(namespace, 0);
      await eventually(async () => expect(await cluster.items(podsOf(namespace))).toHaveLength(0));
    });

    it('updates a canary by its partition, and puts pods back at their revision', async () => {
      const namespace = await cluster.namespace();
      const partition = (value: number) => ({ type: 'RollingUpdate', rollingUpdate: { partition: value } });
      const set = workload(
        'ss',
        { labels, image: 'old' },
        { replicas: 3, serviceName: 'test', updateStrategy: partition(2) },
      );
      await cluster.post(apps(namespace, 'statefulsets'), set);
      await ready(namespace, 3);
      const path = `${apps(namespace, 'statefulsets')}/ss`;
      await cluster.patch(path, STRATEGIC, {
        spec: { template: { spec: { containers: [{ name: 'main', image: 'new' }] } } },
      });
      const images = async () => {
        const pods = [...(await cluster.items(podsOf(namespace)))];
        pods.sort((a, b) => a.metadata.name.localeCompare(b.metadata.name));
        expect(pods.every((pod) => conditionOf(pod, 'Ready')?.status === 'True')).toBe(true);
        return pods.map(({ spec }) => spec.containers[0].image);
      };
      await eventually(async () => expect(await images()).toEqual(['old', 'old', 'new']));
      await cluster.delete(`${podsOf(namespace)}/ss-0`);
      await cluster.delete(`${podsOf(namespace)}/ss-2`);
      await eventually(async () => expect(await images()).toEqual(['old', 'old', 'new']));
      await cluster.patch(path, MERGE, { spec: { updateStrategy: partition(0) } });
      await eventually(async () => {
        expect(await images()).toEqual(['new', 'new', 'new']);
        const status = await statusOf(path);
        expect(status.currentRevision).toBe(status.updateRevision);
      });
    });

    it('makes a pod again that its node would not take', async () => {
      const namespace = await cluster.namespace();
      const ports = [{ containerPort: 21017, hostPort: 21017 }];
      const here = { nodeName: 'node-1', terminationGracePeriodSeconds: 0, containers: [container('main', { ports })] };
      await cluster.post(podsOf(namespace), { metadata: { name: 'first' }, spec: here });
      await eventually(async () =>
        expect(await statusOf(`${podsOf(namespace)}/first`)).toMatchObject({ phase: 'Running' }),
      );
      const watch = await cluster.api.watch(`${podsOf(namespace)}?watch=1&fieldSelector=metadata.name%3Dss-0`);
      const set = workload('ss', { labels, spec: here }, { replicas: 1, serviceName: 'test' });
      await cluster.post(apps(namespace, 'statefulsets'), set);
      const refused = await seen(watch, ({ object }) => object.status.phase === 'Failed');
      expect(refused.object.status.reason).toBe('NodePorts');
      await seen(watch, ({ type }) => type === 'DELETED');
      await cluster.delete(`${podsOf(namespace)}/first`);
      await eventually(async () =>
        expect(await statusOf(`${podsOf(namespace)}/ss-0`)).toMatchObject({ phase: 'Running' }),
      );
      watch.stop();
    });
  });

  describe('a Job', () => {
    const job = (name: string, spec: object, annotations: Readonly<Record<string, string>>) => ({
      metadata: { name },
      spec: {
        parallelism: 2,
        completions: 2,
        ...spec,
        template: {
          metadata: { annotations: simulated(annotations) },
          spec: { restartPolicy: 'Never', containers: [container()] },
        },
      },
    });
    const finished = (namespace: string, name: string, type: 'Complete' | 'Failed') =>
      eventually(async () => {
        const found = await cluster.get(`${jobsOf(namespace)}/${name}`);
        expect(conditionOf(found, type)?.status).toBe('True');
        return found;
      });

    it('does not count pods that were evicted, when its policy says so', async () => {
      const namespace = await cluster.namespace();
      const podFailurePolicy = {
        rules: [{ action: 'Ignore', onPodConditions: [{ type: 'DisruptionTarget', status: 'True' }] }],
      };
      const policy = job('ignoring', { backoffLimit: 0, podFailurePolicy }, { 'run-seconds': 'forever' });
      await cluster.post(jobsOf(namespace), policy);
      const [pod] = await eventually(async () => {
        const running = (await cluster.items(podsOf(namespace))).filter(({ status }) => status.phase === 'Running');
        expect(running).toHaveLength(2);
        return running;
      });
      const { name } = pod!.metadata;
      const watch = await cluster.api.watch(`${podsOf(namespace)}?watch=1&fieldSelector=metadata.name%3D${name}`);
      const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name } };
      await cluster.post(`${podsOf(namespace)}/${name}/eviction`, eviction);
      const { object } = await seen(watch, (event) => conditionOf(event.object, 'DisruptionTarget') !== undefined);
      expect(conditionOf(object, 'DisruptionTarget')).toMatchObject({
        status: 'True',
        reason: 'EvictionByEvictionAPI',
        message: 'Eviction API: evicting',
      });
      watch.stop();
      await cluster.gone(`${podsOf(namespace)}/${name}`);
      // Its finalizer goes only when the Job has judged it.
      const { status } = await cluster.get(`${jobsOf(namespace)}/ignoring`);
      expect(status.failed ?? 0).toBe(0);
      expect(status.uncountedTerminatedPods?.failed ?? []).toEqual([]);
      expect(status.conditions ?? []).toEqual([]);
    });

    it('fails by indexes, by exit code, and succeeds by its success policy', async () => {
      const namespace = await cluster.namespace();
      const indexed = { completionMode: 'Indexed', backoffLimitPerIndex: 0 };
      await cluster.post(jobsOf(namespace), job('indexes', indexed, { 'run-seconds': '0', 'exit-code': '1' }));
      const podFailurePolicy = {
        rules: [{ action: 'FailJob', onExitCodes: { containerName: 'main', operator: 'In', values: [42] } }],
      };
      await cluster.post(
        jobsOf(namespace),
        job('code', { podFailurePolicy }, { 'run-seconds': '0', 'exit-code': '42' }),
      );
      const successPolicy = { rules: [{ succeededIndexes: '0' }] };
      const one = { completionMode: 'Indexed', completions: 3, parallelism: 1, successPolicy };
      await cluster.post(jobsOf(namespace), job('enough', one, { 'run-seconds': '0', 'exit-code': '0' }));
      const indexes = await finished(namespace, 'indexes', 'Failed');
      expect(indexes.status.failedIndexes).toBe('0,1');
      expect(conditionOf(indexes, 'Failed')?.reason).toBe('FailedIndexes');
      const code = await finished(namespace, 'code', 'Failed');
      expect(conditionOf(code, 'Failed')).toMatchObject({ reason: 'PodFailurePolicy' });
      const enough = await finished(namespace, 'enough', 'Complete');
      expect(conditionOf(enough, 'SuccessCriteriaMet')?.reason).toBe('SuccessPolicy');
    });
  });
});
