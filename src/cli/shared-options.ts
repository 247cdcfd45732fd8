import { resolve } from 'node:path';
import type { Command } from 'commander';
import { type ClusterOptions, DISABLEABLE, defaultDataDir } from '../cluster/options.ts';
import { type ApiServerLimitFlags, apiServerLimitOptions, apiServerLimits } from './api-server-limits.ts';
import { auditDelivery, auditDeliveryOptions } from './audit-options.ts';
import { oneOf, parseBoolean, parseCount, parseDuration, parseList, parsePort } from './option-values.ts';

/** Options as commander hands them over, of `up` and `server`. */
export interface ControlPlaneFlags extends ApiServerLimitFlags {
  readonly dataDir: string;
  readonly kubeconfig?: string;
  readonly apiPort: number;
  readonly bindAddress: string;
  readonly datastore: 'memory' | 'lmdb' | 'etcd';
  readonly etcdEndpoints?: readonly string[];
  readonly encryptionProviderConfig?: string;
  readonly encryptionProviderConfigAutomaticReload: boolean;
  readonly authenticationConfig?: string;
  readonly authenticationTokenWebhookConfigFile?: string;
  readonly authorizationConfig?: string;
  readonly admissionControlConfigFile?: string;
  readonly enableAdmissionPlugins?: readonly string[];
  readonly disableAdmissionPlugins?: readonly string[];
  readonly auditPolicyFile?: string;
  readonly auditLogPath?: string;
  readonly auditLogMaxage?: number;
  readonly auditLogMaxbackup?: number;
  readonly auditLogMaxsize?: number;
  readonly auditWebhookConfigFile?: string;
  readonly disable: readonly string[];
  readonly plugins?: string;
  readonly clusterCidr?: string;
  readonly serviceCidr?: string;
  readonly tlsSan?: readonly string[];
  readonly nodeMonitorGracePeriod?: number;
  readonly timings?: string;
}

export const dataDirOption = (command: Command) =>
  command.option(
    '--data-dir <dir>',
    'where keys, datastore and containers live',
    (dir) => resolve(dir),
    defaultDataDir(),
  );

export function controlPlaneOptions(command: Command): Command {
  return apiServerLimitOptions(auditDeliveryOptions(dataDirOption(command)))
    .option(
      '--kubeconfig <file>',
      'where to write the kubeconfig (default: kubeconfig in the data directory)',
      (file) => resolve(file),
    )
    .option('--merge-kubeconfig', 'also add a context "k8ts" to your own kubeconfig')
    .option('--api-port <port>', 'port of the API server; 0 takes a free one', parsePort, 6443)
    .option('--bind-address <address>', 'address the API server listens on', '0.0.0.0')
    .option(
      '--datastore <name>',
      'memory (forgets at stop), lmdb (in the data directory) or etcd',
      oneOf('memory', 'lmdb', 'etcd'),
      'lmdb',
    )
    .option('--etcd-endpoints <url,...>', 'of an etcd, for --datastore etcd', parseList)
    .option(
      '--encryption-provider-config <file>',
      'an EncryptionConfiguration (default: Secrets are encrypted with a key made at the first boot)',
      (file) => resolve(file),
    )
    .option(
      '--encryption-provider-config-automatic-reload <boolean>',
      'put changes of that file to use without a restart',
      parseBoolean,
      true,
    )
    .option('--authentication-config <file>', 'an AuthenticationConfiguration (OIDC issuers, anonymous)', (file) =>
      resolve(file),
    )
    .option(
      '--authentication-token-webhook-config-file <file>',
      'a kubeconfig of the webhook that knows tokens',
      (file) => resolve(file),
    )
    .option('--authorization-config <file>', 'an AuthorizationConfiguration (default: Node and RBAC)', (file) =>
      resolve(file),
    )
    .option(
      '--admission-control-config-file <file>',
      'an AdmissionConfiguration (of PodSecurity, ResourceQuota, EventRateLimit, ...)',
      (file) => resolve(file),
    )
    .option('--enable-admission-plugins <name,...>', 'to run beside those that are on by default', parseList)
    .option('--disable-admission-plugins <name,...>', 'not to run', parseList)
    .option('--audit-policy-file <file>', 'an audit Policy (default: nothing is audited)', (file) => resolve(file))
    .option('--audit-log-path <file>', 'log audit events to this file; - is standard output', (file) =>
      file === '-' ? file : resolve(file),
    )
    .option('--audit-log-maxage <days>', 'remove rotated audit logs that are older', parseCount)
    .option('--audit-log-maxbackup <count>', 'rotated audit logs to keep', parseCount)
    .option('--audit-log-maxsize <megabytes>', 'of an audit log before it is rotated (default: 100)', parseCount)
    .option('--audit-webhook-config-file <file>', 'a kubeconfig of the webhook that takes audit events', (file) =>
      resolve(file),
    )
    .option('--disable <name,...>', `parts that do not start: ${DISABLEABLE.join(', ')}`, parseList, [])
    .option('--cluster-cidr <range>', 'of pods (default: the first of 10.244.0.0/16, 10.245.0.0/16, ... that is free)')
    .option(
      '--service-cidr <range>',
      'of Services (default: the first of 10.96.0.0/16, 10.97.0.0/16, ... that is free)',
    )
    .option('--tls-san <name,...>', "further names and addresses for the API server's certificate", parseList)
    .option(
      '--node-monitor-grace-period <duration>',
      'how long a node may be silent before it counts as lost (default: 50s)',
      parseDuration,
    )
    .option('--plugins <dir>', 'load the plugins of this directory', (dir) => resolve(dir))
    .option('--timings <file>', 'write the boot timeline as JSON', (file) => resolve(file));
}

export function clusterOptions(flags: ControlPlaneFlags): ClusterOptions {
  return {
    dataDir: flags.dataDir,
    apiPort: flags.apiPort,
    bindAddress: flags.bindAddress,
    datastore: flags.datastore,
    disable: flags.disable,
    ...(flags.etcdEndpoints ? { etcdEndpoints: flags.etcdEndpoints } : {}),
    ...(flags.encryptionProviderConfig ? { encryptionProviderConfig: flags.encryptionProviderConfig } : {}),
    encryptionProviderConfigAutomaticReload: flags.encryptionProviderConfigAutomaticReload,
    ...(flags.authenticationConfig ? { authenticationConfig: flags.authenticationConfig } : {}),
    ...(flags.authenticationTokenWebhookConfigFile
      ? { authenticationTokenWebhookConfigFile: flags.authenticationTokenWebhookConfigFile }
      : {}),
    ...(flags.authorizationConfig ? { authorizationConfig: flags.authorizationConfig } : {}),
    ...(flags.admissionControlConfigFile ? { admissionControlConfigFile: flags.admissionControlConfigFile } : {}),
    ...(flags.enableAdmissionPlugins ? { enableAdmissionPlugins: flags.enableAdmissionPlugins } : {}),
    ...(flags.disableAdmissionPlugins ? { disableAdmissionPlugins: flags.disableAdmissionPlugins } : {}),
    ...(flags.auditPolicyFile ? { auditPolicyFile: flags.auditPolicyFile } : {}),
    ...(flags.auditLogPath ? { auditLogPath: flags.auditLogPath } : {}),
    ...(flags.auditLogMaxage === undefined ? {} : { auditLogMaxAge: flags.auditLogMaxage }),
    ...(flags.auditLogMaxbackup === undefined ? {} : { auditLogMaxBackup: flags.auditLogMaxbackup }),
    ...(flags.auditLogMaxsize === undefined ? {} : { auditLogMaxSize: flags.auditLogMaxsize }),
    ...(flags.auditWebhookConfigFile ? { auditWebhookConfigFile: flags.auditWebhookConfigFile } : {}),
    ...auditDelivery(flags),
    ...apiServerLimits(flags),
    ...(flags.clusterCidr ? { clusterCIDR: flags.clusterCidr } : {}),
    ...(flags.serviceCidr ? { serviceCIDR: flags.serviceCidr } : {}),
    ...(flags.tlsSan ? { tlsSans: flags.tlsSan } : {}),
    ...(flags.nodeMonitorGracePeriod ? { nodeMonitorGracePeriodMs: flags.nodeMonitorGracePeriod } : {}),
    ...(flags.plugins ? { plugins: flags.plugins } : {}),
  };
}

export const outputOption = (command: Command) => command.option('-o, --output <format>', 'json', oneOf('json'));
