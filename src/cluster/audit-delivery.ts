export const AUDIT_MODES = ['batch', 'blocking', 'blocking-strict'] as const;

/** How events reach an audit backend; defaults as upstream's. */
export interface AuditDelivery {
  /** `batch`: requests never wait. `blocking`: until their first event has gone out. `blocking-strict`: and fail when it can't. */
  readonly mode?: (typeof AUDIT_MODES)[number];
  /** Events that may wait for their batch; 10,000. */
  readonly batchBufferSize?: number;
  readonly truncateEnabled?: boolean;
  /** Of a batch, in bytes, when truncating; 10 MiB. */
  readonly truncateMaxBatchSize?: number;
  /** Of an event, in bytes, when truncating: larger ones lose their objects, or are lost; 100 KiB. */
  readonly truncateMaxEventSize?: number;
}

export interface AuditLogDelivery extends AuditDelivery {
  /** `json` */
  readonly format?: 'json' | 'legacy';
  /** gzip rotated logs. */
  readonly compress?: boolean;
}

export interface AuditWebhookDelivery extends AuditDelivery {
  /** Events of a batch; 400. */
  readonly batchMaxSize?: number;
  /** How long an event waits for others, in ms; 30 s. */
  readonly batchMaxWait?: number;
  /** Whether there are limits of batches a second; true. */
  readonly batchThrottleEnable?: boolean;
  /** Batches a second on average, 10, and at once, 15. */
  readonly batchThrottleQps?: number;
  readonly batchThrottleBurst?: number;
  /** Before the first repetition, in ms; 10 s. */
  readonly initialBackoff?: number;
}

/** What of it can't be; undefined when all can. */
export function faultOf(backend: string, delivery: AuditLogDelivery & AuditWebhookDelivery): string | undefined {
  const positive = (value: number | undefined, what: string) =>
    value !== undefined && !(value > 0) ? `invalid audit ${what} ${value}, must be a positive number` : undefined;
  const { truncateMaxBatchSize = MAX_BATCH_BYTES, truncateMaxEventSize = MAX_EVENT_BYTES } = delivery;
  return (
    positive(delivery.batchBufferSize, `batch ${backend} buffer size`) ??
    positive(delivery.batchMaxSize, `batch ${backend} max batch size`) ??
    positive(delivery.batchThrottleQps, `batch ${backend} throttle QPS`) ??
    positive(delivery.batchThrottleBurst, `batch ${backend} throttle burst`) ??
    positive(truncateMaxEventSize, `truncate ${backend} max event size`) ??
    (truncateMaxBatchSize < truncateMaxEventSize
      ? `invalid audit truncate ${backend} max batch size ${truncateMaxBatchSize}, must be greater than max event size (${truncateMaxEventSize})`
      : undefined)
  );
}

export const MAX_BATCH_BYTES = 10 * 1024 * 1024;
export const MAX_EVENT_BYTES = 100 * 1024;
