import type {
  LimitRange,
  Namespace,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  ResourceQuota,
  Secret,
  ServiceAccount,
} from '../../api/types/core.v1.gen.ts';
import type { IngressClass } from '../../api/types/networking.v1.gen.ts';
import type { RuntimeClass } from '../../api/types/node.v1.gen.ts';
import type { ResourceSlice } from '../../api/types/resource.v1.gen.ts';
import type { PriorityClass } from '../../api/types/scheduling.v1.gen.ts';
import type { CSIDriver, StorageClass } from '../../api/types/storage.v1.gen.ts';

export interface AdmissionObjects {
  namespaces: Namespace;
  serviceaccounts: ServiceAccount;
  secrets: Secret;
  limitranges: LimitRange;
  resourcequotas: ResourceQuota;
  pods: Pod;
  nodes: Node;
  persistentvolumes: PersistentVolume;
  persistentvolumeclaims: PersistentVolumeClaim;
  storageclasses: StorageClass;
  csidrivers: CSIDriver;
  ingressclasses: IngressClass;
  priorityclasses: PriorityClass;
  runtimeclasses: RuntimeClass;
  resourceslices: ResourceSlice;
}

/** How admission steps look at other objects: from the watch cache, without waiting. */
export interface AdmissionLookup {
  get<K extends keyof AdmissionObjects>(resource: K, name: string, namespace?: string): AdmissionObjects[K] | undefined;
  list<K extends keyof AdmissionObjects>(resource: K, namespace?: string): readonly AdmissionObjects[K][];
  /** Past the cache, which may lag behind a write of another API server. */
  fetch?<K extends keyof AdmissionObjects>(
    resource: K,
    name: string,
    namespace?: string,
  ): Promise<AdmissionObjects[K] | undefined>;
}

export async function find<K extends keyof AdmissionObjects>(
  lookup: AdmissionLookup,
  resource: K,
  name: string,
  namespace?: string,
): Promise<AdmissionObjects[K] | undefined> {
  return lookup.get(resource, name, namespace) ?? (await lookup.fetch?.(resource, name, namespace));
}
