import type { Namespace, Node, Pod, Secret, ServiceAccount } from '../../api/types/core.v1.gen.ts';

export interface IdentityObjects {
  serviceaccounts: ServiceAccount;
  secrets: Secret;
  pods: Pod;
  nodes: Node;
  namespaces: Namespace;
}

/** How authenticators look at the objects that a credential is bound to. */
export interface ObjectGetter {
  /** From the watch cache. */
  get<K extends keyof IdentityObjects>(resource: K, name: string, namespace?: string): IdentityObjects[K] | undefined;
  /** Past the cache, asked when the cache has nothing: it may lag behind a write of another API server. */
  fetch?<K extends keyof IdentityObjects>(
    resource: K,
    name: string,
    namespace?: string,
  ): Promise<IdentityObjects[K] | undefined>;
}
