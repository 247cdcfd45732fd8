import { describe, expect, it } from 'vitest';
import { persistentVolume } from './persistent-volume.ts';
import { persistentVolumeClaim } from './persistent-volume-claim.ts';
import { create, errorsOf, type Loose, row, update } from './testing.ts';

describe('volumes and claims', () => {
  const seed = {
    spec: {
      capacity: { storage: '1Gi' },
      volumeMode: 'Filesystem',
      accessModes: ['ReadWriteOnce'],
      storageClassName: 'my-storage-class',
      persistentVolumeReclaimPolicy: 'Retain',
      mountOptions: ['hard', 'nfsvers=4.1'],
      nfs: { path: '/path/to/nfs', server: 'nfs-server.example.com' },
    },
  };

  it('accepts the NFS volume of the documentation and prints it', () => {
    const volume = create(persistentVolume, seed, 'my-pv');
    expect(errorsOf(persistentVolume, volume)).toEqual([]);
    expect(volume.spec).toEqual(seed.spec);
    expect(row(persistentVolume, { ...volume, status: { phase: 'Available' } })).toMatchObject({
      Name: 'my-pv',
      Capacity: '1Gi',
      'Access Modes': 'RWO',
      'Reclaim Policy': 'Retain',
      Status: 'Available',
      Claim: '',
      StorageClass: 'my-storage-class',
      VolumeAttributesClass: '<unset>',
      VolumeMode: 'Filesystem',
    });
  });

  it('refuses volumes without a place or a size', () => {
    expect(errorsOf(persistentVolume, create(persistentVolume, { spec: {} }))).toEqual([
      'spec.accessModes: Required value',
      'spec.capacity: Required value',
      'spec.capacity: Unsupported value: null: supported values: "storage"',
      'spec: Required value: must specify a volume type',
    ]);
    const moved = update(persistentVolume, create(persistentVolume, seed), (next) => {
      next.spec.nfs.path = '/elsewhere';
    });
    expect(moved.errors).toHaveLength(1);
    expect(moved.errors[0]).toMatch(
      /^spec\.persistentvolumesource: Forbidden: spec\.persistentvolumesource is immutable after creation\n@@ -5,7 \+5,7 @@\n/,
    );
  });

  it('lets bound claims grow and nothing else', () => {
    const claim = create(persistentVolumeClaim, {
      spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
    });
    expect(claim.status).toEqual({ phase: 'Pending' });
    expect(claim.spec.volumeMode).toBe('Filesystem');
    expect(errorsOf(persistentVolumeClaim, claim)).toEqual([]);
    const size = (storage: string) => (next: Loose) => {
      next.spec.resources.requests.storage = storage;
    };
    const fixed = [
      'spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims',
      '@@ -6,7 +6,7 @@',
      '   "Resources": {',
      '     "Limits": null,',
      '     "Requests": {',
      '-      "storage": "1Gi"',
      '+      "storage": "2Gi"',
      '     }',
      '   },',
      '   "VolumeName": "",',
      '',
    ].join('\n');
    expect(update(persistentVolumeClaim, claim, size('2Gi')).errors).toEqual([fixed]);
    const binding = update(persistentVolumeClaim, claim, (next) => {
      next.spec.volumeName = 'pv';
    });
    expect(binding.errors).toEqual([]);
    const bound = { ...binding.object, status: { phase: 'Bound', capacity: { storage: '1Gi' } } };
    expect(update(persistentVolumeClaim, bound, size('2Gi')).errors).toEqual([]);
    expect(update(persistentVolumeClaim, bound, size('1Mi')).errors).toEqual([
      'spec.resources.requests.storage: Forbidden: field can not be less than status.capacity',
    ]);
  });
});
