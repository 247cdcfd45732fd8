import { FieldPath } from '../../apimachinery/field.ts';

/** An `EncryptionConfiguration` of `apiserver.config.k8s.io/v1`, checked and with defaults. */
export interface EncryptionConfiguration {
  readonly resources: readonly ResourceRule[];
}

/** The first provider writes, all of them read. */
export interface ResourceRule {
  /** `secrets`, `deployments.apps`, `*.`, `*.apps`, `*.*`. */
  readonly resources: readonly string[];
  readonly providers: readonly ProviderConfiguration[];
}

export type ProviderConfiguration =
  | { readonly type: 'identity' }
  | { readonly type: 'aesgcm' | 'aescbc' | 'secretbox'; readonly keys: readonly EncryptionKey[] }
  | KmsConfiguration;

export interface EncryptionKey {
  readonly name: string;
  readonly secret: Buffer;
}

export interface KmsConfiguration {
  readonly type: 'kms';
  readonly name: string;
  /** `unix:///path`. */
  readonly endpoint: string;
  readonly timeoutMs: number;
}

const DEFAULT_TIMEOUT_MS = 3000;
const KEY_SIZES = { aesgcm: [16, 24, 32], aescbc: [16, 24, 32], secretbox: [32] } as const;
const PROVIDERS = ['aesgcm', 'aescbc', 'secretbox', 'identity', 'kms'] as const;
const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** What is wrong with a configuration and in which field. */
export class ConfigurationFault extends Error {
  constructor(path: FieldPath | string, what: string) {
    super(`${path}: ${what}`);
  }
}

/** `given` is the parsed document. Throws ConfigurationFault. */
export function readEncryptionConfiguration(given: unknown): EncryptionConfiguration {
  const root = fields(given, 'EncryptionConfiguration', ['apiVersion', 'kind', 'resources']);
  if (root.kind !== 'EncryptionConfiguration')
    throw new ConfigurationFault('kind', `expected EncryptionConfiguration, got ${JSON.stringify(root.kind)}`);
  if (root.apiVersion !== 'apiserver.config.k8s.io/v1')
    throw new ConfigurationFault(
      'apiVersion',
      `expected apiserver.config.k8s.io/v1, got ${JSON.stringify(root.apiVersion)}`,
    );
  const path = FieldPath.of('resources');
  const resources = list(root.resources, path).map((rule, index) => resourceRule(rule, path.index(index)));
  const kmsNames = new Map<string, string>();
  for (const { providers } of resources)
    for (const provider of providers) {
      if (provider.type !== 'kms') continue;
      const known = kmsNames.get(provider.name);
      if (known !== undefined && known !== provider.endpoint)
        throw new ConfigurationFault(path, `invalid KMS provider name ${provider.name}, must be unique`);
      kmsNames.set(provider.name, provider.endpoint);
    }
  return { resources };
}

function resourceRule(given: unknown, path: FieldPath): ResourceRule {
  const rule = fields(given, path, ['resources', 'providers']);
  const names = path.child('resources');
  const providers = path.child('providers');
  return {
    resources: list(rule.resources, names).map((name, index) => resourceName(name, names.index(index))),
    providers: list(rule.providers, providers).map((provider, index) => oneProvider(provider, providers.index(index))),
  };
}

function resourceName(given: unknown, path: FieldPath): string {
  const name = text(given, path);
  const fail = (why: string) => new ConfigurationFault(path, `Invalid value: ${JSON.stringify(name)}: ${why}`);
  if (name === '') throw new ConfigurationFault(path, 'resource name cannot be empty');
  if (name !== name.toLowerCase()) throw fail('resource must be lowercase');
  if (name === '*')
    throw fail("use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources");
  if (name === '*.*') return name;
  const [resource = '', group] = splitOnce(name, '.');
  if (group?.includes('*')) throw fail('wildcard resource group is not supported');
  if (resource !== '*' && resource.includes('*')) throw fail('wildcards go for whole resource names');
  if (resource === '' || (group === '' && resource !== '*')) throw fail('resource name cannot be empty');
  if (group === 'extensions') throw fail("'extensions' group has been removed and cannot be used for encryption");
  if (name === 'events.events.k8s.io') throw fail("encryption of 'events.events.k8s.io' is done by 'events'");
  return name;
}

function oneProvider(given: unknown, path: FieldPath): ProviderConfiguration {
  const provider = fields(given, path, PROVIDERS);
  const named = PROVIDERS.filter((type) => provider[type] !== undefined);
  if (named.length === 0) throw new ConfigurationFault(path, 'provider does not contain any of the expected providers');
  if (named.length > 1)
    throw new ConfigurationFault(path, `more than one provider specified in a single element: ${named.join(', ')}`);
  const type = named[0]!;
  const at = path.child(type);
  if (type === 'identity') {
    if (provider.identity !== null) fields(provider.identity, at, []);
    return { type };
  }
  if (type === 'kms') return kms(provider.kms, at);
  const keys = at.child('keys');
  const given_ = list(fields(provider[type], at, ['keys']).keys, keys);
  return { type, keys: given_.map((key, index) => oneKey(key, keys.index(index), KEY_SIZES[type])) };
}

function oneKey(given: unknown, path: FieldPath, sizes: readonly number[]): EncryptionKey {
  const key = fields(given, path, ['name', 'secret']);
  const name = text(key.name, path.child('name'));
  if (name === '' || name.includes(':'))
    throw new ConfigurationFault(path.child('name'), 'a key name is required and must not contain ":"');
  const encoded = text(key.secret, path.child('secret'));
  if (encoded === '') throw new ConfigurationFault(path.child('secret'), 'Required value: a key secret is required');
  // The secret is not shown.
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(encoded) || encoded.length % 4)
    throw new ConfigurationFault(path.child('secret'), 'secrets must be base64 encoded');
  const secret = Buffer.from(encoded, 'base64');
  if (!sizes.includes(secret.length))
    throw new ConfigurationFault(
      path.child('secret'),
      `secret is not of the expected length, got ${secret.length}, expected one of [${sizes.join(' ')}]`,
    );
  return { name, secret };
}

function kms(given: unknown, path: FieldPath): KmsConfiguration {
  const plugin = fields(given, path, ['apiVersion', 'name', 'endpoint', 'timeout', 'cachesize']);
  const name = text(plugin.name, path.child('name'));
  if (name === '') throw new ConfigurationFault(path.child('name'), 'Required value: a name is required');
  if (name.includes(':'))
    throw new ConfigurationFault(path.child('name'), `invalid KMS provider name ${name}, must not contain ':'`);
  const apiVersion = plugin.apiVersion ?? 'v1';
  if (apiVersion === 'v1')
    throw new ConfigurationFault(
      path.child('apiVersion'),
      'KMSv1 is not served: set apiVersion: v2 and use a KMSv2 plugin',
    );
  if (apiVersion !== 'v2')
    throw new ConfigurationFault(
      path.child('apiVersion'),
      `unsupported apiVersion ${JSON.stringify(apiVersion)}, expected v2`,
    );
  if (plugin.cachesize !== undefined && plugin.cachesize !== null)
    throw new ConfigurationFault(path.child('cachesize'), 'cachesize is not supported in v2');
  const endpoint = text(plugin.endpoint, path.child('endpoint'));
  if (!/^unix:\/\/(?:\/|@)/.test(endpoint))
    throw new ConfigurationFault(
      path.child('endpoint'),
      `Invalid value: ${JSON.stringify(endpoint)}: unsupported scheme, expected unix:///path/to/socket`,
    );
  return { type: 'kms', name, endpoint, timeoutMs: duration(plugin.timeout, path.child('timeout')) };
}

/** As Go writes durations: `3s`, `1m30s`, `500ms`. */
function duration(given: unknown, path: FieldPath): number {
  if (given === undefined || given === null) return DEFAULT_TIMEOUT_MS;
  const value = text(given, path);
  const parts = [...value.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)];
  const total = parts.reduce((sum, [, count, unit]) => sum + Number(count) * UNITS[unit!]!, 0);
  if (parts.map(([part]) => part).join('') !== value || total <= 0)
    throw new ConfigurationFault(
      path,
      `Invalid value: ${JSON.stringify(value)}: should be a positive value such as 3s`,
    );
  return total;
}

function fields(given: unknown, path: FieldPath | string, known: readonly string[]): Readonly<Record<string, unknown>> {
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ConfigurationFault(path, 'expected an object');
  for (const name of Object.keys(given))
    if (!known.includes(name)) throw new ConfigurationFault(path, `unknown field ${JSON.stringify(name)}`);
  return given as Record<string, unknown>;
}

function list(given: unknown, path: FieldPath): readonly unknown[] {
  if (!Array.isArray(given) || given.length === 0)
    throw new ConfigurationFault(path, `Required value: at least one element is needed`);
  return given;
}

function text(given: unknown, path: FieldPath): string {
  if (given === undefined || given === null) return '';
  if (typeof given !== 'string') throw new ConfigurationFault(path, 'expected a string');
  return given;
}

function splitOnce(value: string, separator: string): [string, string | undefined] {
  const at = value.indexOf(separator);
  return at < 0 ? [value, undefined] : [value.slice(0, at), value.slice(at + 1)];
}
