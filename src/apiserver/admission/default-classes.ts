import type { PersistentVolumeClaim } from '../../api/types/core.v1.gen.ts';
import type { Ingress } from '../../api/types/networking.v1.gen.ts';
import type { Draft } from '../../apimachinery/json.ts';
import type { ObjectMeta } from '../../apimachinery/meta.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionLookup } from './lookup.ts';
import { isFor } from './rejection.ts';

/** The newest of several defaults; of the same age, the first by name. */
function newestDefault<T extends { readonly metadata: ObjectMeta }>(
  candidates: readonly T[],
  annotations: readonly string[],
): T | undefined {
  const age = (object: T) => Date.parse(object.metadata.creationTimestamp ?? '') || 0;
  return candidates
    .filter(({ metadata }) => annotations.some((annotation) => metadata.annotations?.[annotation] === 'true'))
    .sort((a, b) => age(b) - age(a) || (a.metadata.name < b.metadata.name ? -1 : 1))[0];
}

/** A claim that names no StorageClass gets the default one, if there is one. */
export function defaultStorageClass(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'DefaultStorageClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, '', 'persistentvolumeclaims'),
    mutate(_attributes, object) {
      const claim = object as unknown as Draft<PersistentVolumeClaim>;
      if (
        claim.spec?.storageClassName !== undefined ||
        claim.metadata.annotations?.['volume.beta.kubernetes.io/storage-class'] !== undefined
      )
        return;
      const chosen = newestDefault(lookup.list('storageclasses'), [
        'storageclass.kubernetes.io/is-default-class',
        'storageclass.beta.kubernetes.io/is-default-class',
      ]);
      if (chosen && claim.spec) claim.spec.storageClassName = chosen.metadata.name;
    },
  };
}

/** An Ingress that names no IngressClass gets the default one, if there is one. */
export function defaultIngressClass(lookup: AdmissionLookup): AdmissionStep {
  return {
    name: 'DefaultIngressClass',
    handles: (attributes) => attributes.operation === 'CREATE' && isFor(attributes, 'networking.k8s.io', 'ingresses'),
    mutate(_attributes, object) {
      const ingress = object as unknown as Draft<Ingress>;
      if (
        ingress.spec?.ingressClassName !== undefined ||
        ingress.metadata.annotations?.['kubernetes.io/ingress.class'] !== undefined
      )
        return;
      const chosen = newestDefault(lookup.list('ingressclasses'), ['ingressclass.kubernetes.io/is-default-class']);
      if (!chosen) return;
      ingress.spec ??= {};
      ingress.spec.ingressClassName = chosen.metadata.name;
    },
  };
}
