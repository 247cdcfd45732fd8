import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { DaemonSet, Deployment, StatefulSet } from '../../api/types/apps.v1.gen.ts';
import type { CronJob, Job } from '../../api/types/batch.v1.gen.ts';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import { startTestApiServer, type TestApiServer } from '../../apiserver/testing.ts';
import type { ResourceType } from '../../client/client.ts';
import type { InformerFactory } from '../../client/informer.ts';
import { createInformerFactory } from '../../client/informer-factory.ts';
import {
  ControllerRevisions,
  CronJobs,
  DaemonSets,
  Deployments,
  Jobs,
  Namespaces,
  Nodes,
  PersistentVolumeClaims,
  Pods,
  ReplicaSets,
  StatefulSets,
} from '../../client/resource-types.gen.ts';
import { conditionOf, timestamp } from '../conditions.ts';
import { garbageCollector } from '../garbage-collector/garbage-collector.ts';
import { type ControllerManager, createControllerManager } from '../index.ts';
import { ignoreNotFound } from '../parallel.ts';
import { targetNode } from './daemonset/daemon-pods.ts';
import { workloadControllers } from './index.ts';

let api: TestApiServer;
let informers: InformerFactory;
let manager: ControllerManager;
let offsetMs = 0;
let stopKubelet = () => {};
const errors: string[] = [];

/** Runs every pod: binds it, makes it ready or finished (image `exit-N`), and lets it go when it is deleted. */
function startKubelet(): () => void {
  const pods = informers.informer(Pods);
  const { client } = api;
  const busy = new Set<string>();
  async function handle(pod: Pod): Promise<void> {
    const { name, namespace = '' } = pod.metadata;
    if (pod.metadata.deletionTimestamp) {
      await client.for(Pods).delete({ name, namespace }, { gracePeriodSeconds: 0 });
      return;
    }
    if (!pod.spec.nodeName) {
      const target = { apiVersion: 'v1', kind: 'Node', name: targetNode(pod) ?? 'n1' };
      const binding = { apiVersion: 'v1', kind: 'Binding', metadata: { name }, target };
      await client.for(Pods).createSubresource({ name, namespace }, 'binding', binding);
      return;
    }
    const exit = /^exit-(\d+)$/.exec(pod.spec.containers[0]!.image!)?.[1];
    if ((pod.status?.phase ?? 'Pending') !== 'Pending') return;
    const time = timestamp(Date.now());
    const phase = exit === undefined ? 'Running' : exit === '0' ? 'Succeeded' : 'Failed';
    await client.for(Pods).updateStatus({
      ...pod,
      status: {
        phase,
        startTime: time,
        conditions: [{ type: 'Ready', status: exit === undefined ? 'True' : 'False', lastTransitionTime: time }],
        ...(exit === undefined
          ? {}
          : {
              containerStatuses: [
                {
                  name: 'c',
                  image: 'i',
                  imageID: 'i',
                  ready: false,
                  restartCount: 0,
                  state: { terminated: { exitCode: Number(exit), finishedAt: time } },
                },
              ],
            }),
      },
    });
  }
  const run = (pod: Pod) => {
    const key = `${pod.metadata.uid}/${pod.metadata.resourceVersion}`;
    if (busy.has(key)) return;
    busy.add(key);
    handle(pod).catch((error: { code?: number }) => {
      if (error.code !== 404 && error.code !== 409) errors.push(String(error));
    });
  };
  return pods.addHandler({ onAdd: run, onUpdate: run });
}

beforeEach(async () => {
  errors.length = 0;
  offsetMs = 0;
  const note = (fields: object, message?: string) =>
    void errors.push(`${message} ${String((fields as { err?: Error }).err?.message ?? '')}`);
  const logger = { ...silentLogger, warn: note, error: note, child: () => logger };
  api = await startTestApiServer();
  informers = createInformerFactory(api.client, { logger });
  manager = createControllerManager({
    client: api.client,
    informers,
    logger,
    now: () => Date.now() + offsetMs,
    controllers: [...workloadControllers(), garbageCollector()],
  });
  await manager.start();
  await api.client.for(Namespaces).create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'app' }, spec: {} });
  await api.client.for(Nodes).create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' }, spec: {} });
  stopKubelet = startKubelet();
});
afterEach(async () => {
  stopKubelet();
  await manager.stop();
  await informers.stop();
  await api.stop();
});

async function eventually<T>(check: () => Promise<T | undefined | false>, timeoutMs = 5_000): Promise<T> {
  const end = performance.now() + timeoutMs;
  for (;;) {
    const value = await check();
    if (value) return value;
    if (performance.now() > end) throw new Error(`did not happen: ${check}\n${errors.join('\n')}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
const metadata = (name: string) => ({ name, namespace: 'app' });
const template = (image: string, spec: object = {}) => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }], ...spec },
});
const selector = { matchLabels: { app: 'web' } };
const get = <T extends KubeObject>(type: ResourceType<T>, name: string) =>
  api.client.for(type).get({ name, namespace: 'app' }).catch(ignoreNotFound);
const count = async (type: ResourceType<KubeObject>) =>
  (await api.client.for(type).list({ namespace: 'app' })).items.length;
const setImage = (type: ResourceType<KubeObject>, name: string, image: string) =>
  api.client.for(type).patch({ name, namespace: 'app' }, 'strategic', {
    spec: { template: { spec: { containers: [{ name: 'c', image }] } } },
  });

describe('workloads against the API server', () => {
  it('Deployment: rolls out, back, and is deleted with all it made', async () => {
    await api.client.for(Deployments).create({
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: metadata('web'),
      spec: { replicas: 3, selector, template: template('v1') },
    } as unknown as Deployment);
    const done = (revision: string) => async () => {
      const object = await get(Deployments, 'web');
      const status = object?.status;
      return (
        object?.metadata.annotations?.['deployment.kubernetes.io/revision'] === revision &&
        status?.observedGeneration === object.metadata.generation &&
        [status?.replicas, status?.updatedReplicas, status?.availableReplicas].every((n) => n === 3) &&
        conditionOf(status?.conditions, 'Progressing')?.reason === 'NewReplicaSetAvailable'
      );
    };
    await eventually(done('1'));
    await setImage(Deployments, 'web', 'v2');
    await eventually(done('2'));
    await setImage(Deployments, 'web', 'v1');
    await eventually(done('3'));
    expect(await count(ReplicaSets)).toBe(2);
    await api.client.for(Deployments).delete(metadata('web'), { propagationPolicy: 'Foreground' });
    await eventually(async () => (await count(Deployments)) + (await count(ReplicaSets)) + (await count(Pods)) === 0);
    expect(errors).toEqual([]);
  });

  it('DaemonSet: a pod per node, updated', async () => {
    await api.client.for(Nodes).create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n2' }, spec: {} });
    await api.client.for(DaemonSets).create({
      apiVersion: 'apps/v1',
      kind: 'DaemonSet',
      metadata: metadata('agent'),
      spec: { selector, template: template('v1') },
    } as unknown as DaemonSet);
    const done = (revisions: number) => async () => {
      const status = (await get(DaemonSets, 'agent'))?.status;
      return (
        status?.numberAvailable === 2 &&
        status.updatedNumberScheduled === 2 &&
        (await count(ControllerRevisions)) === revisions
      );
    };
    await eventually(done(1));
    await setImage(DaemonSets, 'agent', 'v2');
    await eventually(done(2));
    expect(errors).toEqual([]);
  });

  it('StatefulSet: in order, with claims, updated', async () => {
    const claim = {
      metadata: { name: 'data' },
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    };
    await api.client.for(StatefulSets).create({
      apiVersion: 'apps/v1',
      kind: 'StatefulSet',
      metadata: metadata('db'),
      spec: { replicas: 2, serviceName: 'db', selector, template: template('v1'), volumeClaimTemplates: [claim] },
    } as unknown as StatefulSet);
    const done = (image: string) => async () => {
      const status = (await get(StatefulSets, 'db'))?.status;
      const pod = await get(Pods, 'db-0');
      return (
        status?.availableReplicas === 2 &&
        status.currentRevision === status.updateRevision &&
        status.updatedReplicas === 2 &&
        pod?.spec.containers[0]?.image === image
      );
    };
    await eventually(done('v1'));
    expect(await count(PersistentVolumeClaims)).toBe(2);
    await setImage(StatefulSets, 'db', 'v2');
    await eventually(done('v2'));
    expect(errors).toEqual([]);
  });

  it('Job: completes, fails, suspends and resumes; every status it writes is valid', async () => {
    const job = (name: string, spec: object, image = 'exit-0') =>
      api.client.for(Jobs).create({
        apiVersion: 'batch/v1',
        kind: 'Job',
        metadata: metadata(name),
        spec: { template: template(image, { restartPolicy: 'Never' }), ...spec },
      } as unknown as Job);
    await job('indexed', { completions: 5, parallelism: 3, completionMode: 'Indexed' });
    await job('plain', { completions: 3, parallelism: 2 });
    await job('broken', { backoffLimit: 0 }, 'exit-1');
    await job('slow', { activeDeadlineSeconds: 1 }, 'runs');
    await job('paused', { parallelism: 2, completions: 2 }, 'runs');
    const ended = (name: string, type: string) => async () =>
      conditionOf((await get(Jobs, name))?.status?.conditions, type);
    await eventually(ended('indexed', 'Complete'));
    await eventually(ended('plain', 'Complete'));
    expect((await get(Jobs, 'indexed'))?.status).toMatchObject({ succeeded: 5, completedIndexes: '0-4' });
    expect((await eventually(ended('broken', 'Failed'))).reason).toBe('BackoffLimitExceeded');
    expect((await eventually(ended('slow', 'Failed'))).reason).toBe('DeadlineExceeded');
    const paused = async (check: (job: Job) => boolean) => {
      const object = await get(Jobs, 'paused');
      return object && check(object);
    };
    await eventually(() => paused(({ status }) => status?.ready === 2));
    for (const suspend of [true, false]) {
      await api.client.for(Jobs).patch(metadata('paused'), 'merge', { spec: { suspend } });
      await eventually(() =>
        paused(
          ({ status }) =>
            (status?.ready ?? 0) === (suspend ? 0 : 2) &&
            status?.terminating === 0 &&
            conditionOf(status?.conditions, 'Suspended')?.status === (suspend ? 'True' : 'False'),
        ),
      );
    }
    await api.client.for(Jobs).delete(metadata('paused'), { propagationPolicy: 'Background' });
    await eventually(
      async () =>
        (await api.client.for(Pods).list({ namespace: 'app', labelSelector: 'job-name=paused' })).items.length === 0,
    );
    expect(errors).toEqual([]);
  });

  it('CronJob: starts a Job when its time has come', async () => {
    await api.client.for(CronJobs).create({
      apiVersion: 'batch/v1',
      kind: 'CronJob',
      metadata: metadata('tick'),
      spec: {
        schedule: '* * * * *',
        jobTemplate: { spec: { template: template('exit-0', { restartPolicy: 'Never' }) } },
      },
    } as unknown as CronJob);
    offsetMs = 61_000;
    await api.client.for(CronJobs).patch(metadata('tick'), 'merge', { metadata: { annotations: { look: 'now' } } });
    await eventually(async () => {
      const status = (await get(CronJobs, 'tick'))?.status;
      return status?.lastSuccessfulTime && !status.active?.length;
    });
    expect(await count(Jobs)).toBe(1);
    expect(errors).toEqual([]);
  });
});
