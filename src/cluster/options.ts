import { homedir } from 'node:os';
import { join } from 'node:path';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { ADMISSION_PLUGINS } from '../apiserver/admission/configuration/plugin-names.ts';
import type { ApiServerLimits } from '../apiserver/api-server-options.ts';
import type { AuditLogDelivery, AuditWebhookDelivery } from './audit-delivery.ts';
import type { Timeline } from './graph/component.ts';

/** What a user may choose about a cluster. Everything has a default. */
export interface ClusterOptions {
  /** `simulated` runs pods through their life cycle without processes; `containerd` runs real containers and needs Linux and root. */
  readonly runtime?: 'simulated' | 'containerd';
  /** `memory` forgets everything at stop; `lmdb` keeps it in the data directory; `etcd` keeps it in an etcd (`etcdEndpoints`). */
  readonly datastore?: 'memory' | 'lmdb' | 'etcd';
  readonly etcdEndpoints?: readonly string[];
  /** An EncryptionConfiguration file; without one Secrets are encrypted with a key kept in the data directory. */
  readonly encryptionProviderConfig?: string;
  /** Whether changes of that file are put to use without a restart; true when absent. */
  readonly encryptionProviderConfigAutomaticReload?: boolean;
  /** An AuthenticationConfiguration file: issuers of JSON web tokens, and what anonymous requests may ask. */
  readonly authenticationConfig?: string;
  /** A kubeconfig of the webhook that is asked whose a token is. */
  readonly authenticationTokenWebhookConfigFile?: string;
  /** An AuthorizationConfiguration file; Node and RBAC when absent. */
  readonly authorizationConfig?: string;
  /** An AdmissionConfiguration file: defaults and exemptions of PodSecurity, limits of EventRateLimit. */
  readonly admissionControlConfigFile?: string;
  /** Admission plugins to run beside those that always do. */
  readonly enableAdmissionPlugins?: readonly string[];
  readonly disableAdmissionPlugins?: readonly string[];
  /** An audit Policy file; without one nothing is audited. */
  readonly auditPolicyFile?: string;
  /** Where events are logged, a line of JSON each; `-` is standard output. */
  readonly auditLogPath?: string;
  /** Rotated logs older than so many days are removed; all are kept when absent or 0. */
  readonly auditLogMaxAge?: number;
  /** How many rotated logs are kept; all when absent or 0. */
  readonly auditLogMaxBackup?: number;
  /** Megabytes of a log before it is rotated; 100 when absent or 0. */
  readonly auditLogMaxSize?: number;
  /** A kubeconfig of the webhook that events are sent to. */
  readonly auditWebhookConfigFile?: string;
  /** How events reach the log; requests wait for it by default. */
  readonly auditLog?: AuditLogDelivery;
  /** How events reach the webhook; in batches by default. */
  readonly auditWebhook?: AuditWebhookDelivery;
  /** What the API server takes on at once, and how it ends. */
  readonly apiServerLimits?: Partial<ApiServerLimits>;
  /** Where keys, datastore and containers live. Without it nothing is written to disk (memory and simulated only). */
  readonly dataDir?: string;
  /** Of the API server; 0 takes a free one. */
  readonly apiPort?: number;
  /** Address the API server listens on; loopback when embedded, all addresses for `k8ts up`. */
  readonly bindAddress?: string;
  readonly nodes?: number;
  /** Add-ons and optional components that do not start, by name. */
  readonly disable?: readonly string[];
  readonly ingressPorts?: { readonly http: number; readonly https: number };
  readonly dashboardPort?: number;
  /** Whose ports are wishes: one that is in use is replaced by a free one. */
  readonly preferredPorts?: readonly ('ingress' | 'dashboard')[];
  /** Further names and addresses in the API server's certificate. */
  readonly tlsSans?: readonly string[];
  /** How long a node may be silent before it counts as lost; 50 s. */
  readonly nodeMonitorGracePeriodMs?: number;
  /** An existing CRI socket, in place of a containerd of the cluster's own. */
  readonly containerRuntimeEndpoint?: string;
  /** A directory of plugins. */
  readonly plugins?: string;
  readonly serviceCIDR?: string;
  readonly clusterCIDR?: string;
  readonly clusterDomain?: string;
  readonly logger?: Logger;
  /** Called after every change of a component's state. */
  onTimeline?(timeline: Timeline): void;
}

/** Options with every default filled in. */
export interface ClusterConfig {
  readonly runtime: 'simulated' | 'containerd';
  readonly datastore: 'memory' | 'lmdb' | 'etcd';
  readonly etcdEndpoints: readonly string[];
  readonly encryptionProviderConfig: string | undefined;
  readonly encryptionProviderConfigAutomaticReload: boolean;
  readonly authenticationConfig: string | undefined;
  readonly authenticationTokenWebhookConfigFile: string | undefined;
  readonly authorizationConfig: string | undefined;
  readonly admissionControlConfigFile: string | undefined;
  readonly enableAdmissionPlugins: readonly string[];
  readonly disableAdmissionPlugins: readonly string[];
  readonly auditPolicyFile: string | undefined;
  readonly auditLogPath: string | undefined;
  readonly auditLogMaxAge: number;
  readonly auditLogMaxBackup: number;
  readonly auditLogMaxSize: number;
  readonly auditWebhookConfigFile: string | undefined;
  readonly auditLog: AuditLogDelivery;
  readonly auditWebhook: AuditWebhookDelivery;
  readonly apiServerLimits: Partial<ApiServerLimits>;
  readonly dataDir: string | undefined;
  readonly apiPort: number;
  readonly bindAddress: string;
  readonly nodes: number;
  readonly disable: ReadonlySet<string>;
  readonly ingressPorts: { readonly http: number; readonly https: number };
  readonly dashboardPort: number;
  readonly preferredPorts: ReadonlySet<'ingress' | 'dashboard'>;
  readonly tlsSans: readonly string[];
  readonly nodeMonitorGracePeriodMs: number;
  readonly containerRuntimeEndpoint: string | undefined;
  readonly plugins: string | undefined;
  readonly serviceCIDR: string;
  readonly clusterCIDR: string;
  readonly clusterDomain: string;
  /** First address of the service range: the `kubernetes` Service. */
  readonly kubernetesServiceIP: string;
  /** Tenth address of the service range: cluster DNS. */
  readonly clusterDNS: string;
}

/** What `--disable` takes. */
export const DISABLEABLE = [
  'kube-proxy',
  'dns',
  'ingress',
  'dashboard',
  'local-path',
  'metrics-server',
  'plugins',
] as const;

/** What `--disable` of an agent takes. */
export const AGENT_DISABLEABLE = DISABLEABLE.filter((name) => name === 'kube-proxy' || name === 'local-path');

/** Fills defaults in and refuses what can't work, with CodedError. */
export function resolveOptions(options: ClusterOptions): ClusterConfig {
  const runtime = options.runtime ?? 'simulated';
  const datastore = options.datastore ?? (options.dataDir ? 'lmdb' : 'memory');
  const disable = new Set(options.disable ?? []);
  for (const name of disable) {
    if (!(DISABLEABLE as readonly string[]).includes(name)) {
      throw invalidOption(`there is no component "${name}" to disable`, `Choose among: ${DISABLEABLE.join(', ')}.`);
    }
  }
  if (datastore === 'lmdb' && !options.dataDir)
    throw invalidOption('datastore lmdb needs a data directory', 'Set dataDir, or choose datastore memory.');
  if (datastore === 'etcd' && !options.etcdEndpoints?.length)
    throw invalidOption('datastore etcd needs endpoints', 'Name at least one etcd endpoint.');
  if (runtime === 'containerd' && !options.dataDir)
    throw invalidOption('runtime containerd needs a data directory', 'Set dataDir.');
  const nodes = options.nodes ?? 1;
  if (!Number.isInteger(nodes) || nodes < 0 || nodes > 5000)
    throw invalidOption(`nodes must be a whole number from 0 to 5000, not ${nodes}`, 'Choose another number.');
  const serviceCIDR = options.serviceCIDR ?? '10.96.0.0/16';
  const clusterCIDR = options.clusterCIDR ?? '10.244.0.0/16';
  addressInRange('pod', clusterCIDR, 0, 8, 23);
  return {
    runtime,
    datastore,
    etcdEndpoints: options.etcdEndpoints ?? [],
    encryptionProviderConfig: options.encryptionProviderConfig,
    encryptionProviderConfigAutomaticReload: options.encryptionProviderConfigAutomaticReload ?? true,
    authenticationConfig: options.authenticationConfig,
    authenticationTokenWebhookConfigFile: options.authenticationTokenWebhookConfigFile,
    authorizationConfig: options.authorizationConfig,
    admissionControlConfigFile: options.admissionControlConfigFile,
    ...admissionPlugins(options),
    auditPolicyFile: options.auditPolicyFile,
    auditLogPath: options.auditLogPath,
    auditLogMaxAge: options.auditLogMaxAge ?? 0,
    auditLogMaxBackup: options.auditLogMaxBackup ?? 0,
    auditLogMaxSize: options.auditLogMaxSize ?? 0,
    auditWebhookConfigFile: options.auditWebhookConfigFile,
    auditLog: options.auditLog ?? {},
    auditWebhook: options.auditWebhook ?? {},
    apiServerLimits: options.apiServerLimits ?? {},
    dataDir: options.dataDir,
    apiPort: checkPort('apiPort', options.apiPort ?? 0),
    bindAddress: options.bindAddress ?? '127.0.0.1',
    nodes,
    disable,
    ingressPorts: {
      http: checkPort('ingress HTTP port', options.ingressPorts?.http ?? 80),
      https: checkPort('ingress HTTPS port', options.ingressPorts?.https ?? 443),
    },
    dashboardPort: checkPort('dashboardPort', options.dashboardPort ?? 0),
    preferredPorts: new Set(options.preferredPorts),
    tlsSans: options.tlsSans ?? [],
    nodeMonitorGracePeriodMs: options.nodeMonitorGracePeriodMs ?? 50_000,
    containerRuntimeEndpoint: options.containerRuntimeEndpoint,
    plugins: options.plugins,
    serviceCIDR,
    clusterCIDR,
    clusterDomain: options.clusterDomain ?? 'cluster.local',
    kubernetesServiceIP: addressInRange('service', serviceCIDR, 1),
    clusterDNS: addressInRange('service', serviceCIDR, 10),
  };
}

function admissionPlugins({ enableAdmissionPlugins = [], disableAdmissionPlugins = [] }: ClusterOptions) {
  const known: readonly string[] = ADMISSION_PLUGINS;
  for (const name of [...enableAdmissionPlugins, ...disableAdmissionPlugins])
    if (!known.includes(name))
      throw invalidOption(`there is no admission plugin "${name}"`, `Choose among: ${known.join(', ')}.`);
  const both = enableAdmissionPlugins.filter((name) => disableAdmissionPlugins.includes(name));
  if (both.length)
    throw invalidOption(`${both.join(', ')} can't be both enabled and disabled`, 'Leave it out of one of the lists.');
  return { enableAdmissionPlugins, disableAdmissionPlugins };
}

/** `/var/lib/k8ts` for root, a folder of the user's own otherwise. */
export function defaultDataDir(): string {
  if (process.getuid?.() === 0) return '/var/lib/k8ts';
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'k8ts');
}

/** The address `offset` places after the base of an IPv4 range. */
function addressInRange(of: 'pod' | 'service', cidr: string, offset: number, shortest = 12, longest = 28): string {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\/(\d{1,2})$/.exec(cidr);
  const bytes = match?.slice(1, 5).map(Number) ?? [];
  const prefix = Number(match?.[5]);
  if (!match || bytes.some((byte) => byte > 255) || prefix < shortest || prefix > longest) {
    throw invalidOption(
      `${of} range "${cidr}" is not an IPv4 range with a prefix from /${shortest} to /${longest}`,
      `Write it as ${of === 'pod' ? '10.244.0.0/16' : '10.96.0.0/16'}.`,
    );
  }
  const base = bytes.reduce((sum, byte) => sum * 256 + byte, 0) + offset;
  return [24, 16, 8, 0].map((shift) => Math.floor(base / 2 ** shift) % 256).join('.');
}

function checkPort(name: string, port: number): number {
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw invalidOption(
      `${name} must be a port number, not ${port}`,
      'Choose a number from 0 to 65535; 0 takes a free one.',
    );
  return port;
}

export function invalidOption(message: string, remedy: string): CodedError {
  return new CodedError('INVALID_OPTION', message, remedy);
}
