import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { BUSYBOX } from '../../support/images.ts';
import type { Kubectl } from '../../support/kubectl.ts';
import { freshNamespace, scenario } from '../../support/scenario.ts';

const claim = (name: string) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '64Mi' } } },
});

/** Runs a command to its end with the claim at /data. */
const podWith = (name: string, claimName: string, command: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name },
  spec: {
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 0,
    containers: [
      {
        name: 'app',
        image: BUSYBOX,
        command: ['sh', '-c', command],
        volumeMounts: [{ name: 'data', mountPath: '/data' }],
      },
    ],
    volumes: [{ name: 'data', persistentVolumeClaim: { claimName } }],
  },
});

/** As the seed example has it. */
const SEED_VOLUME = {
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name: 'my-pv' },
  spec: {
    capacity: { storage: '1Gi' },
    volumeMode: 'Filesystem',
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'my-storage-class',
    mountOptions: ['hard', 'nfsvers=4.1'],
    nfs: { path: '/path/to/nfs', server: 'nfs-server.example.com' },
  },
};

interface Volume {
  metadata: { name: string };
  spec: { local: { path: string }; persistentVolumeReclaimPolicy: string; claimRef: { name: string } };
  status: { phase: string };
}

scenario('persistent volumes', ({ cluster }) => {
  let kubectl: Kubectl;
  let remove: () => Promise<void>;
  const succeeds = (pod: string) => kubectl(`wait --for=jsonpath={.status.phase}=Succeeded pod/${pod} --timeout=30s`);

  beforeAll(async () => {
    ({ kubectl, remove } = await freshNamespace(cluster, 'volumes'));
  });
  afterAll(async () => {
    await remove?.();
    await kubectl?.run('delete persistentvolume my-pv --ignore-not-found --timeout=20s');
  });

  it('outlive the pods that use them, and go with their claim', async () => {
    expect(await kubectl('get storageclass --no-headers')).toMatch(
      /^local-path \(default\) +k8ts\.dev\/local-path +Delete +WaitForFirstConsumer /,
    );
    await kubectl.apply(claim('data'));
    expect(await kubectl('get pvc data -o jsonpath={.status.phase}')).toBe('Pending');
    await eventually(async () => (await kubectl('describe pvc data')).includes('waiting for first consumer'));

    await kubectl.apply(podWith('writer', 'data', 'echo precious > /data/file && id -u > /data/writer'));
    await succeeds('writer');
    const name = await kubectl('get pvc data -o jsonpath={.spec.volumeName}');
    const volume = await kubectl.get<Volume>(`pv ${name}`);
    expect(volume).toMatchObject({
      spec: { persistentVolumeReclaimPolicy: 'Delete', claimRef: { name: 'data' } },
      status: { phase: 'Bound' },
    });
    const folder = volume.spec.local.path;
    expect(folder.startsWith(join(cluster.dataDir, 'volumes'))).toBe(true);
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('precious\n');

    await kubectl('delete pod writer --timeout=20s');
    await kubectl.apply(podWith('reader', 'data', 'cat /data/file'));
    await succeeds('reader');
    expect(await kubectl('logs reader')).toBe('precious\n');

    // A claim in use waits for its pods.
    await kubectl('delete pvc data --wait=false');
    expect(await kubectl('get pvc data -o jsonpath={.metadata.deletionTimestamp}')).not.toBe('');
    await kubectl('delete pod reader --timeout=20s');
    await kubectl('wait --for=delete pvc/data --timeout=20s');
    await kubectl(`wait --for=delete pv/${name} --timeout=20s`);
    expect(existsSync(folder)).toBe(false);
  });

  it('come with a StatefulSet, one per replica, and stay with their replica', async () => {
    await kubectl.apply([
      {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name: 'db' },
        spec: { clusterIP: 'None', selector: { app: 'db' } },
      },
      {
        apiVersion: 'apps/v1',
        kind: 'StatefulSet',
        metadata: { name: 'db' },
        spec: {
          serviceName: 'db',
          replicas: 2,
          selector: { matchLabels: { app: 'db' } },
          template: {
            metadata: { labels: { app: 'db' } },
            spec: {
              terminationGracePeriodSeconds: 0,
              containers: [
                {
                  name: 'db',
                  image: BUSYBOX,
                  command: ['sh', '-c', 'hostname >> /data/log; exec sleep 100000'],
                  volumeMounts: [{ name: 'data', mountPath: '/data' }],
                },
              ],
            },
          },
          volumeClaimTemplates: [
            {
              metadata: { name: 'data' },
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '16Mi' } } },
            },
          ],
        },
      },
    ]);
    await kubectl('rollout status statefulset/db --timeout=60s');
    expect((await kubectl('get pvc -o name')).trim().split('\n')).toEqual([
      'persistentvolumeclaim/data-db-0',
      'persistentvolumeclaim/data-db-1',
    ]);
    await kubectl('delete pod db-1 --timeout=20s');
    await kubectl('rollout status statefulset/db --timeout=60s');
    await kubectl('wait --for=condition=Ready pod/db-1 --timeout=30s');
    expect(await kubectl('exec db-1 -- cat /data/log')).toBe('db-1\ndb-1\n');
    expect(await kubectl('exec db-0 -- cat /data/log')).toBe('db-0\n');
    await kubectl('delete statefulset db --timeout=30s');
    await kubectl('delete pvc data-db-0 data-db-1 --timeout=30s');
  });

  it('of a server that does not exist keep a pod waiting with a clear event, and let it be deleted', async () => {
    await kubectl.apply(SEED_VOLUME);
    await kubectl('wait --for=jsonpath={.status.phase}=Available pv/my-pv --timeout=10s');
    const seed = claim('seed');
    await kubectl.apply({ ...seed, spec: { ...seed.spec, storageClassName: 'my-storage-class' } });
    await kubectl.apply(podWith('mounter', 'seed', 'true'));
    await kubectl('wait --for=jsonpath={.status.phase}=Bound pvc/seed --timeout=20s');
    const message = await eventually(
      async () => {
        const text = await kubectl(
          'get events --field-selector involvedObject.name=mounter,reason=FailedMount -o jsonpath={.items[*].message}',
        );
        return text !== '' && text;
      },
      { timeoutMs: 60_000 },
    );
    expect(message).toContain('MountVolume.SetUp failed for volume "my-pv"');
    expect(message).toContain('nfs-server.example.com:/path/to/nfs');
    expect(await kubectl('get pod mounter --no-headers')).toMatch(/^mounter +0\/1 +ContainerCreating /);
    await kubectl('delete pod mounter --timeout=30s');
    await kubectl('delete pvc seed --timeout=20s');
    await kubectl('wait --for=jsonpath={.status.phase}=Released pv/my-pv --timeout=20s');
    await kubectl('delete pv my-pv --timeout=20s');
  });
});
