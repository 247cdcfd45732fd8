import type { KindRegistry } from '../../api/kind.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { Transport } from '../../apimachinery/transport.ts';
import type { AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { ObjectReader } from '../object-reader.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import type { AdmissionMetrics } from './admission-metrics.ts';

export interface DynamicAdmissionOptions {
  readonly kinds: KindRegistry;
  readonly reader: ObjectReader;
  readonly authorizer: Authorizer;
  readonly webhooks: () => Promise<WebhookClient>;
  /** Of the server itself. */
  readonly transport: Transport;
  readonly logger: Logger;
  /** Names of steps that are left out. */
  readonly disabled?: readonly string[] | undefined;
  readonly metrics?: AdmissionMetrics;
}

/** What takes in the objects of one resource and turns them into a step. */
export interface ConfiguredStep {
  upsert(resource: string, object: UnstructuredObject): void;
  remove(resource: string, object: UnstructuredObject): void;
  readonly step: AdmissionStep;
}
