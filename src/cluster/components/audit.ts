import { CodedError } from '../../apimachinery/coded-error.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AuditBackend } from '../../apiserver/audit/audit-event.ts';
import type { AuditPolicy } from '../../apiserver/audit/audit-policy.ts';
import type { AuditTrail } from '../../apiserver/request/audit-trail.ts';
import {
  type AuditDelivery,
  type AuditWebhookDelivery,
  faultOf,
  MAX_BATCH_BYTES,
  MAX_EVENT_BYTES,
} from '../audit-delivery.ts';
import type { ClusterConfig } from '../options.ts';
import { followKubeconfig } from './access.ts';

export interface Audit {
  readonly trail: AuditTrail;
  /** Resolves when the events have gone out, or can't. */
  close(): Promise<void>;
}

type AuditConfig = Pick<
  ClusterConfig,
  | 'auditPolicyFile'
  | 'auditLogPath'
  | 'auditLogMaxAge'
  | 'auditLogMaxBackup'
  | 'auditLogMaxSize'
  | 'auditWebhookConfigFile'
  | 'auditLog'
  | 'auditWebhook'
>;

const WEBHOOK_TIMEOUT_MS = 30_000;
const BUFFER_SIZE = 10_000;

/** The audit of the files that the user gave; undefined when there is no policy or nowhere to send events. Throws CodedError AUDIT_CONFIG_INVALID. */
export async function openAudit(config: AuditConfig, logger: Logger): Promise<Audit | undefined> {
  const { auditPolicyFile, auditLogPath, auditWebhookConfigFile } = config;
  if (!auditPolicyFile) {
    if (auditLogPath || auditWebhookConfigFile)
      logger.warn({}, 'no audit policy file was given: no audit events will be recorded');
    return undefined;
  }
  const fault = faultOf('log', config.auditLog) ?? faultOf('webhook', config.auditWebhook);
  if (fault) throw new CodedError('AUDIT_CONFIG_INVALID', fault, 'Choose another value of the option.');
  const policy = await readPolicy(auditPolicyFile, logger);
  const backends: AuditBackend[] = [];
  const close = async () => void (await Promise.all(backends.map((backend) => backend.close())));
  try {
    if (auditLogPath) backends.push(await openLog(auditLogPath, config, logger));
    if (auditWebhookConfigFile) backends.push(await openWebhook(auditWebhookConfigFile, config.auditWebhook, logger));
  } catch (error) {
    await close();
    throw error;
  }
  if (backends.length === 0) return undefined;
  const { AuditRecorder } = await import('../../apiserver/audit/audit-recorder.ts');
  const trail = new AuditRecorder({ policy, backends, logger });
  return {
    trail,
    async close() {
      await trail.settled();
      await close();
    },
  };
}

async function readPolicy(path: string, logger: Logger): Promise<AuditPolicy> {
  const [{ readAuditPolicy }, { openConfigurationFile }] = await Promise.all([
    import('../../apiserver/audit/audit-policy.ts'),
    import('../../apiserver/configuration-file.ts'),
  ]);
  let policy: AuditPolicy | undefined;
  const use = async (document: unknown) => {
    policy = readAuditPolicy(document);
  };
  await openConfigurationFile({ path, kind: 'Policy', code: 'AUDIT_CONFIG_INVALID', reload: false, logger, use });
  return policy!;
}

async function openLog(path: string, config: AuditConfig, logger: Logger): Promise<AuditBackend> {
  const { AuditLog } = await import('../../apiserver/audit/audit-log.ts');
  try {
    return await AuditLog.open({
      path,
      maxAgeDays: config.auditLogMaxAge,
      maxBackups: config.auditLogMaxBackup,
      maxSizeMB: config.auditLogMaxSize,
      logger,
      ...deliveryOf(config.auditLog, 'blocking'),
      // The file takes events in order and at once: who is not strict has nothing to gain from waiting.
      ...(config.auditLog.mode === 'blocking-strict' ? waitsOf(config.auditLog.mode) : {}),
      compress: config.auditLog.compress === true,
      legacy: config.auditLog.format === 'legacy',
    });
  } catch (cause) {
    throw invalid(`the audit log ${path}`, cause, 'Name a file that can be written in a folder that exists.');
  }
}

async function openWebhook(file: string, delivery: AuditWebhookDelivery, logger: Logger): Promise<AuditBackend> {
  const { AuditWebhook } = await import('../../apiserver/audit/audit-webhook.ts');
  const client = await followKubeconfig(file, logger, 'AUDIT_CONFIG_INVALID');
  return new AuditWebhook({
    post: (body) => client.deliver(body, WEBHOOK_TIMEOUT_MS),
    disconnect: () => client.close(),
    logger,
    ...deliveryOf(delivery, 'batch'),
    ...waitsOf(delivery.mode),
    ...(delivery.truncateEnabled ? { maxBatchBytes: delivery.truncateMaxBatchSize ?? MAX_BATCH_BYTES } : {}),
    ...(delivery.batchMaxSize ? { batchMaxSize: delivery.batchMaxSize } : {}),
    ...(delivery.batchMaxWait === undefined ? {} : { batchMaxWaitMs: delivery.batchMaxWait }),
    ...(delivery.initialBackoff === undefined ? {} : { initialBackoffMs: delivery.initialBackoff }),
    throttle:
      delivery.batchThrottleEnable === false
        ? 'none'
        : { qps: delivery.batchThrottleQps ?? 10, burst: delivery.batchThrottleBurst ?? 15 },
  });
}

function deliveryOf({ mode, batchBufferSize, truncateEnabled, truncateMaxEventSize }: AuditDelivery, usual: string) {
  return {
    ...((mode ?? usual) === 'batch' ? { bufferSize: batchBufferSize ?? BUFFER_SIZE } : {}),
    ...(truncateEnabled ? { maxEventBytes: truncateMaxEventSize ?? MAX_EVENT_BYTES } : {}),
  };
}

function waitsOf(mode: AuditDelivery['mode']): { waits?: 'lenient' | 'strict' } {
  if (mode === 'blocking') return { waits: 'lenient' };
  return mode === 'blocking-strict' ? { waits: 'strict' } : {};
}

const invalid = (what: string, cause: unknown, remedy: string) =>
  new CodedError('AUDIT_CONFIG_INVALID', `${what} can't be used: ${(cause as Error).message}`, remedy, { cause });
