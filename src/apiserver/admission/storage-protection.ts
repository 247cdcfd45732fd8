import type { PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionLookup } from './lookup.ts';
import { isFor, rejected } from './rejection.ts';

const FINALIZERS: Readonly<Record<string, string>> = {
  '/persistentvolumes': 'kubernetes.io/pv-protection',
  '/persistentvolumeclaims': 'kubernetes.io/pvc-protection',
  'storage.k8s.io/volumeattributesclasses': 'kubernetes.io/vac-protection',
};

/** Storage objects carry a finalizer that the protection controllers take off when nobody uses them any more. */
export const storageObjectInUseProtection: AdmissionStep = {
  name: 'StorageObjectInUseProtection',
  handles: ({ operation, resource, subresource }) =>
    operation === 'CREATE' && subresource === '' && FINALIZERS[`${resource.group}/${resource.resource}`] !== undefined,
  mutate({ resource }, object) {
    const finalizer = FINALIZERS[`${resource.group}/${resource.resource}`]!;
    if (!object.metadata.finalizers?.includes(finalizer))
      object.metadata.finalizers = [...(object.metadata.finalizers ?? []), finalizer];
  },
};

/** A claim grows only when its StorageClass allows it. */
export function persistentVolumeClaimResize(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'PersistentVolumeClaimResize',
    handles: (attributes) => attributes.operation === 'UPDATE' && isFor(attributes, '', 'persistentvolumeclaims'),
    validate(attributes, object) {
      const claim = object as unknown as PersistentVolumeClaim;
      const old = attributes.oldObject as unknown as PersistentVolumeClaim;
      const before = old.spec?.resources?.requests?.storage;
      const after = claim.spec?.resources?.requests?.storage;
      if (before === undefined || after === undefined || Quantity.parse(after).cmp(Quantity.parse(before)) <= 0) return;
      if (old.status?.phase !== 'Bound')
        throw rejected(attributes, claim, 'Only bound persistent volume claims can be expanded');
      const className = classOf(claim);
      if (className && className === classOf(old) && lookup.get('storageclasses', className)?.allowVolumeExpansion)
        return;
      throw rejected(
        attributes,
        claim,
        'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
      );
    },
  };
}

const classOf = ({ metadata, spec }: PersistentVolumeClaim) =>
  metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName;
