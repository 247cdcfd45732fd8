import type { Event, Pod } from '../../api/types/core.v1.gen.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import { createClient } from '../../client/create-client.ts';
import { Events, Pods } from '../../client/resource-types.gen.ts';
import { createFakeTransport, type FakeTransport } from '../../client/testing/fake-transport.ts';
import { createKubelet, type Kubelet } from '../kubelet.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { BUSYBOX } from './containerd-node.ts';

export interface KubeletOnFakeApi {
  readonly api: FakeTransport;
  readonly kubelet: Kubelet;
  pod(name: string): Pod;
  /** Waits until the pod is as `until` says and returns it. */
  when(name: string, until: (pod: Pod) => boolean, timeoutMs?: number): Promise<Pod>;
  phase(name: string, phase: string, timeoutMs?: number): Promise<Pod>;
  gone(name: string): Promise<void>;
  /** Marks the pod for deletion as the API server does for `kubectl delete`. */
  delete(name: string, graceSeconds?: number): void;
  events(name: string): readonly Event[];
}

export async function startKubelet(options: {
  runtime: ContainerRuntime;
  dataDir?: string;
  api?: FakeTransport;
}): Promise<KubeletOnFakeApi> {
  const api = options.api ?? createFakeTransport();
  const client = createClient(api);
  const kubelet = await createKubelet({
    client,
    runtime: options.runtime,
    logger: silentLogger,
    nodeName: 'node1',
    nodeIP: '127.0.0.1',
    clusterDNS: ['10.96.0.10'],
    ...(options.dataDir ? { dataDir: options.dataDir } : {}),
  });
  await kubelet.start();
  const find = (name: string) => api.get(Pods, name, 'default');
  const self: KubeletOnFakeApi = {
    api,
    kubelet,
    pod(name) {
      const pod = find(name);
      if (!pod) throw new Error(`no pod ${name}`);
      return pod;
    },
    async when(name, until, timeoutMs = 15_000) {
      const deadline = Date.now() + timeoutMs;
      for (;;) {
        const pod = find(name);
        if (pod && until(pod)) return pod;
        if (Date.now() > deadline) {
          const told = self.events(name).map(({ reason, message }) => `${reason}: ${message}`);
          throw new Error(
            `pod ${name} did not get there: ${JSON.stringify(pod?.status, undefined, 1)}\n${told.join('\n')}`,
          );
        }
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    phase: (name, phase, timeoutMs) => self.when(name, (pod) => pod.status?.phase === phase, timeoutMs),
    async gone(name) {
      const deadline = Date.now() + 20_000;
      while (find(name)) {
        if (Date.now() > deadline) throw new Error(`pod ${name} is still there: ${JSON.stringify(find(name)?.status)}`);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
    delete(name, graceSeconds = self.pod(name).spec.terminationGracePeriodSeconds ?? 30) {
      const pod = self.pod(name);
      api.put({
        ...pod,
        metadata: {
          ...pod.metadata,
          deletionTimestamp: new Date(Date.now() + graceSeconds * 1000).toISOString(),
          deletionGracePeriodSeconds: graceSeconds,
        },
      });
    },
    events: (name) => api.list(Events, 'default').filter(({ involvedObject }) => involvedObject.name === name),
  };
  return self;
}

/** A pod bound to the test's node; every container runs busybox with a shell script. */
export function newPod(
  name: string,
  script: string,
  more: { spec?: Partial<Pod['spec']>; container?: Partial<Pod['spec']['containers'][number]>; metadata?: object } = {},
): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default', uid: crypto.randomUUID(), ...more.metadata },
    spec: {
      nodeName: 'node1',
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 2,
      containers: [
        {
          name: 'main',
          image: BUSYBOX,
          imagePullPolicy: 'IfNotPresent',
          command: ['/bin/sh', '-c', script],
          ...more.container,
        },
      ],
      ...more.spec,
    },
    status: { phase: 'Pending' },
  };
}
