import type { KindDefinition, KindRegistry } from '../../api/kind.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { AdmissionMetrics } from '../admission/admission-metrics.ts';
import type { WatchCache } from '../watch-cache/watch-cache.ts';
import type { ObjectStorage } from './object-storage.ts';
import type { ResourceHooks } from './resource-hooks.ts';

/** What the operations on objects work with. */
export interface RegistryServices {
  readonly kinds: KindRegistry;
  readonly storage: ObjectStorage;
  readonly cache: WatchCache;
  /** Read at every request, for steps come and go with plugins. */
  admission(): readonly AdmissionStep[];
  readonly admissionMetrics?: AdmissionMetrics;
  readonly authorization: Authorizer;
  /** By `group/resource`. */
  readonly hooks: ReadonlyMap<string, ResourceHooks>;
  readonly logger: Logger;
  /** Unix time in ms. */
  now(): number;
}

export function hooksOf(services: RegistryServices, definition: KindDefinition): ResourceHooks | undefined {
  return services.hooks.get(`${definition.group}/${definition.resource}`);
}

/** Seconds precision, as metav1.Time. */
export function timestamp(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`;
}
