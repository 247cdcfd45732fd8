import type { ConfigMap, Secret } from '../../api/types/core.v1.gen.ts';

/** ConfigMaps and Secrets that pods of this node refer to. */
export interface ConfigSource {
  /** Throws StatusError; `optional` of the caller decides what NotFound means. */
  configMap(namespace: string, name: string): Promise<ConfigMap>;
  secret(namespace: string, name: string): Promise<Secret>;
}
