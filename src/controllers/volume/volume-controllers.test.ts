import { afterEach, describe, expect, it } from 'vitest';
import {
  PersistentVolumeClaims,
  PersistentVolumes,
  Pods,
  StorageClasses,
  VolumeAttributesClasses,
} from '../../client/resource-types.gen.ts';
import { type ControllerHarness, runControllers } from '../runtime/testing/controller-harness.ts';
import { ephemeralVolumeController } from './ephemeral-volume-controller.ts';
import { persistentVolumeBinder } from './persistent-volume-binder.ts';
import {
  attributesClassProtectionController,
  claimProtectionController,
  volumeProtectionController,
} from './protection-controllers.ts';

let run: ControllerHarness;
afterEach(() => run.stop());

const volume = (name: string, storage: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolume',
  metadata: { name },
  spec: {
    capacity: { storage },
    accessModes: ['ReadWriteOnce'],
    persistentVolumeReclaimPolicy: 'Retain',
    storageClassName: 'manual',
    nfs: { server: 's', path: '/' },
    ...spec,
  },
});
const claim = (name: string, storage: string, spec: object = {}) => ({
  apiVersion: 'v1',
  kind: 'PersistentVolumeClaim',
  metadata: { name, namespace: 'default' },
  spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage } }, storageClassName: 'manual', ...spec },
});
const storageClass = (name: string, extra: object = {}, annotations: Record<string, string> = {}) => ({
  apiVersion: 'storage.k8s.io/v1',
  kind: 'StorageClass',
  metadata: { name, annotations },
  provisioner: 'k8ts.dev/local',
  ...extra,
});
const phaseOfClaim = (name: string) => run.api.get(PersistentVolumeClaims, name, 'default')?.status?.phase;
const phaseOfVolume = (name: string) => run.api.get(PersistentVolumes, name)?.status?.phase;

describe('persistent volume binder', () => {
  it('binds a claim to the smallest volume that fits, and releases it', async () => {
    run = await runControllers([persistentVolumeBinder()], {
      objects: [
        volume('small', '1Gi'),
        volume('fits', '5Gi'),
        volume('big', '50Gi'),
        volume('other', '3Gi', { storageClassName: 'x' }),
      ],
    });
    await run.eventually(() => phaseOfVolume('big') === 'Available' && phaseOfVolume('fits') === 'Available');
    await run.client.for(PersistentVolumeClaims).create(claim('data', '2Gi'));
    await run.eventually(() => phaseOfClaim('data') === 'Bound');
    expect(run.api.get(PersistentVolumeClaims, 'data', 'default')).toMatchObject({
      spec: { volumeName: 'fits' },
      metadata: {
        annotations: { 'pv.kubernetes.io/bind-completed': 'yes', 'pv.kubernetes.io/bound-by-controller': 'yes' },
      },
      status: { capacity: { storage: '5Gi' }, accessModes: ['ReadWriteOnce'] },
    });
    await run.eventually(() => phaseOfVolume('fits') === 'Bound');
    await run.client.for(PersistentVolumeClaims).delete({ namespace: 'default', name: 'data' });
    await run.eventually(() => phaseOfVolume('fits') === 'Released');
  });

  it('gives many claims a volume each', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `c${i}`);
    run = await runControllers([persistentVolumeBinder()], {
      objects: [...names.map((name) => volume(`v-${name}`, '1Gi')), ...names.map((name) => claim(name, '1Gi'))],
    });
    await run.eventually(() => names.every((name) => phaseOfClaim(name) === 'Bound'));
    const bound = run.api.list(PersistentVolumeClaims).map(({ spec }) => spec.volumeName);
    expect(new Set(bound).size).toBe(12);
  });

  it('honours reservations, selectors and claims by name', async () => {
    run = await runControllers([persistentVolumeBinder()], {
      objects: [
        volume('reserved', '1Gi', { claimRef: { namespace: 'default', name: 'chosen' } }),
        { ...volume('red', '1Gi'), metadata: { name: 'red', labels: { color: 'red' } } },
        claim('chosen', '1Gi'),
        claim('picky', '1Gi', { selector: { matchLabels: { color: 'blue' } } }),
        claim('named', '2Gi', { volumeName: 'red' }),
      ],
    });
    await run.eventually(() => phaseOfClaim('chosen') === 'Bound');
    expect(run.api.get(PersistentVolumeClaims, 'chosen', 'default')?.spec.volumeName).toBe('reserved');
    await run.eventually(() => phaseOfClaim('picky') === 'Pending' && phaseOfClaim('named') === 'Pending');
    expect(run.events).toContain(
      'Warning VolumeMismatch Cannot bind to requested volume "red": requested PV is too small',
    );
  });

  it('asks the provisioner, waits for a consumer where told to, and fills in the default class', async () => {
    run = await runControllers([persistentVolumeBinder()], {
      objects: [
        storageClass('now', {}, { 'storageclass.kubernetes.io/is-default-class': 'true' }),
        storageClass('later', { volumeBindingMode: 'WaitForFirstConsumer' }),
        claim('open', '1Gi', { storageClassName: undefined }),
        claim('waiting', '1Gi', { storageClassName: 'later' }),
        claim('lost', '1Gi', { storageClassName: 'nowhere' }),
      ],
    });
    const get = (name: string) => run.api.get(PersistentVolumeClaims, name, 'default');
    await run.eventually(
      () => get('open')?.metadata.annotations?.['volume.kubernetes.io/storage-provisioner'] === 'k8ts.dev/local',
    );
    expect(get('open')?.spec.storageClassName).toBe('now');
    await run.eventually(() => run.events.some((event) => event.includes('WaitForFirstConsumer')));
    expect(get('waiting')?.metadata.annotations).toBeUndefined();
    await run.eventually(() =>
      run.events.includes('Warning ProvisioningFailed storageclass.storage.k8s.io "nowhere" not found'),
    );
    expect(run.api.list(StorageClasses)).toHaveLength(2);
  });
});

describe('protection controllers', () => {
  it('hold a claim while a pod uses it, and a volume while it is bound', async () => {
    const pod = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', namespace: 'default' },
      spec: { nodeName: 'n', containers: [], volumes: [{ name: 'v', persistentVolumeClaim: { claimName: 'data' } }] },
    };
    run = await runControllers([persistentVolumeBinder(), claimProtectionController(), volumeProtectionController()], {
      objects: [volume('v', '1Gi'), claim('data', '1Gi'), pod],
    });
    await run.eventually(() => phaseOfClaim('data') === 'Bound' && phaseOfVolume('v') === 'Bound');
    await run.eventually(
      () => run.api.get(PersistentVolumeClaims, 'data', 'default')?.metadata.finalizers?.length === 1,
    );
    await run.client.for(PersistentVolumeClaims).delete({ namespace: 'default', name: 'data' });
    await run.client.for(PersistentVolumes).delete({ name: 'v' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(run.api.get(PersistentVolumeClaims, 'data', 'default')).toBeDefined();
    expect(run.api.get(PersistentVolumes, 'v')).toBeDefined();
    run.api.remove(Pods, 'p', 'default');
    await run.eventually(() => !run.api.get(PersistentVolumeClaims, 'data', 'default'));
    await run.eventually(() => !run.api.get(PersistentVolumes, 'v'));
  });

  it('hold a VolumeAttributesClass while a claim names it', async () => {
    run = await runControllers([attributesClassProtectionController()], {
      objects: [
        { apiVersion: 'storage.k8s.io/v1', kind: 'VolumeAttributesClass', metadata: { name: 'fast' }, driverName: 'd' },
        claim('data', '1Gi', { volumeAttributesClassName: 'fast' }),
      ],
    });
    const found = () => run.api.get(VolumeAttributesClasses, 'fast');
    await run.eventually(() => found()?.metadata.finalizers?.includes('kubernetes.io/vac-protection'));
    await run.client.for(VolumeAttributesClasses).delete({ name: 'fast' });
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(found()).toBeDefined();
    run.api.remove(PersistentVolumeClaims, 'data', 'default');
    await run.eventually(() => !found());
  });
});

describe('ephemeral volume controller', () => {
  it('makes the claim, owned by the pod', async () => {
    const template = { metadata: { labels: { a: 'b' } }, spec: { accessModes: ['ReadWriteOnce'] } };
    run = await runControllers([ephemeralVolumeController()], {
      objects: [
        {
          apiVersion: 'v1',
          kind: 'Pod',
          metadata: { name: 'p', namespace: 'default', uid: 'u' },
          spec: { containers: [], volumes: [{ name: 'scratch', ephemeral: { volumeClaimTemplate: template } }] },
        },
      ],
    });
    const made = await run.eventually(() => run.api.get(PersistentVolumeClaims, 'p-scratch', 'default'));
    expect(made.metadata).toMatchObject({
      labels: { a: 'b' },
      ownerReferences: [{ kind: 'Pod', uid: 'u', controller: true }],
    });
  });
});
