import type { Command } from 'commander';
import { AUDIT_MODES, type AuditLogDelivery, type AuditWebhookDelivery } from '../cluster/audit-delivery.ts';
import { oneOf, parseBoolean, parseCount, parseDuration } from './option-values.ts';

const BACKENDS = ['log', 'webhook'] as const;

/** How audit events reach their backends. */
export function auditDeliveryOptions(command: Command): Command {
  for (const backend of BACKENDS) {
    const usual = backend === 'log' ? 'blocking' : 'batch';
    command
      .option(`--audit-${backend}-mode <mode>`, `${AUDIT_MODES.join(', ')} (default: ${usual})`, oneOf(...AUDIT_MODES))
      .option(`--audit-${backend}-batch-buffer-size <count>`, 'events that may wait (default: 10000)', parseCount)
      .option(`--audit-${backend}-truncate-enabled [boolean]`, 'shorten large events', parseBoolean)
      .option(`--audit-${backend}-truncate-max-batch-size <bytes>`, 'of a batch (default: 10485760)', parseCount)
      .option(`--audit-${backend}-truncate-max-event-size <bytes>`, 'of an event (default: 102400)', parseCount);
  }
  return command
    .option('--audit-log-format <format>', 'json or legacy (default: json)', oneOf('json', 'legacy'))
    .option('--audit-log-compress [boolean]', 'gzip rotated audit logs', parseBoolean)
    .option('--audit-webhook-batch-max-size <count>', 'events of a batch (default: 400)', parseCount)
    .option('--audit-webhook-batch-max-wait <duration>', 'of an event for others (default: 30s)', parseDuration)
    .option('--audit-webhook-batch-throttle-enable [boolean]', 'limit batches a second (default: true)', parseBoolean)
    .option('--audit-webhook-batch-throttle-qps <number>', 'batches a second (default: 10)', Number)
    .option('--audit-webhook-batch-throttle-burst <count>', 'batches at once (default: 15)', parseCount)
    .option('--audit-webhook-initial-backoff <duration>', 'before the first repetition (default: 10s)', parseDuration);
}

/** What of the flags, as commander hands them over, says so. */
export function auditDelivery(flags: object): { auditLog?: AuditLogDelivery; auditWebhook?: AuditWebhookDelivery } {
  const of = (prefix: string, names: readonly string[]) => {
    const given = names.flatMap((name) => {
      const value = (flags as Readonly<Record<string, unknown>>)[`${prefix}${name[0]!.toUpperCase()}${name.slice(1)}`];
      return value === undefined ? [] : [[name, value] as const];
    });
    return given.length ? Object.fromEntries(given) : undefined;
  };
  const common = ['mode', 'batchBufferSize', 'truncateEnabled', 'truncateMaxBatchSize', 'truncateMaxEventSize'];
  const auditLog = of('auditLog', [...common, 'format', 'compress']);
  const auditWebhook = of('auditWebhook', [
    ...common,
    'batchMaxSize',
    'batchMaxWait',
    'batchThrottleEnable',
    'batchThrottleQps',
    'batchThrottleBurst',
    'initialBackoff',
  ]);
  return { ...(auditLog ? { auditLog } : {}), ...(auditWebhook ? { auditWebhook } : {}) };
}
