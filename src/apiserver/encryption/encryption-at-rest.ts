import type { MetricFamily, MetricSource } from '../health/exposition.ts';
import type { ValueTransformer } from '../watch-cache/value-transformer.ts';
import { aesCbc } from './aes-cbc.ts';
import { aesGcm } from './aes-gcm.ts';
import type { EncryptionConfiguration, KmsConfiguration, ProviderConfiguration } from './encryption-configuration.ts';
import type { KmsProvider } from './kms/kms-provider.ts';
import { secretbox } from './secretbox.ts';
import { TransformationMetrics, type TransformationType } from './transformation-metrics.ts';
import { ENCRYPTED, identity, startsWith, type ValueCipher } from './value-cipher.ts';

export interface EncryptionAtRestOptions {
  /** Can read, after the providers of the configuration, and never write. */
  readonly readers?: readonly ValueCipher[];
  /** A KMS plugin's provider; asked for only when a configuration names one. */
  openKms(configuration: KmsConfiguration): Promise<KmsProvider>;
  /** What the providers count. */
  readonly kmsMetrics?: { families(): Iterable<MetricFamily> };
}

/** One configuration at work. */
interface Rules {
  /** Ciphers by `resource.group`; of the core group by the bare resource. */
  readonly byResource: ReadonlyMap<string, readonly ValueCipher[]>;
  readonly kms: readonly KmsProvider[];
}

const PLAIN: readonly ValueCipher[] = [identity];

/** Encryption at rest by an EncryptionConfiguration, which can be replaced while it works. */
export class EncryptionAtRest implements ValueTransformer {
  readonly #options: EncryptionAtRestOptions;
  readonly #metrics = new TransformationMetrics();
  #rules: Rules = { byResource: new Map(), kms: [] };

  constructor(options: EncryptionAtRestOptions) {
    this.#options = options;
  }

  /**
   * The new configuration is in force when it resolves; when it rejects, the old one still is. Unless this is the first
   * one, its KMS plugins must be well.
   */
  async use(configuration: EncryptionConfiguration): Promise<void> {
    const rules = await rulesOf(configuration, this.#options);
    const first = this.#rules.byResource.size === 0;
    try {
      await Promise.all(rules.kms.map((provider) => (first ? provider.refresh() : provider.check())));
    } catch (error) {
      for (const provider of rules.kms) provider.close();
      throw error;
    }
    const { kms } = this.#rules;
    this.#rules = rules;
    for (const provider of kms) provider.close();
  }

  /** Rejects, naming the plugins that do not answer well. */
  async checkKms(): Promise<void> {
    const failures = await Promise.all(
      this.#rules.kms.map((provider) =>
        provider.check().then(
          () => [],
          (error: Error) => [`${provider.name}: ${error.message}`],
        ),
      ),
    );
    if (failures.flat().length) throw new Error(failures.flat().join('; '));
  }

  close(): void {
    for (const provider of this.#rules.kms) provider.close();
  }

  readonly families: MetricSource = () => [
    ...this.#metrics.families(),
    ...(this.#options.kmsMetrics?.families() ?? []),
  ];

  toStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array> {
    const cipher = this.#ciphersOf(key)[0]!;
    return this.#counted(
      'to_storage',
      key,
      () => cipher.prefix,
      () => cipher.seal(value, key),
    );
  }

  fromStorage(value: Uint8Array, key: string): Uint8Array | Promise<Uint8Array> {
    let candidates: readonly ValueCipher[] = [];
    return this.#counted(
      'from_storage',
      key,
      () => candidates[0]?.prefix,
      () => {
        candidates = this.#candidates(key, value);
        return openWith(candidates, 0, value, key);
      },
    );
  }

  #counted(
    type: TransformationType,
    key: string,
    prefix: () => string | undefined,
    work: () => Uint8Array | Promise<Uint8Array>,
  ): Uint8Array | Promise<Uint8Array> {
    const since = performance.now();
    const count = (ok: boolean) => this.#metrics.observe(type, key, prefix(), ok, since);
    const failed = (error: unknown) => {
      count(false);
      throw error;
    };
    let result: Uint8Array | Promise<Uint8Array>;
    try {
      result = work();
    } catch (error) {
      return failed(error);
    }
    if (result instanceof Promise)
      return result.then((value) => {
        count(true);
        return value;
      }, failed);
    count(true);
    return result;
  }

  isCurrent(value: Uint8Array, key: string): boolean {
    const writer = this.#ciphersOf(key)[0]!;
    if (writer === identity) return !startsWith(value, ENCRYPTED);
    if (!startsWith(value, writer.prefix)) return false;
    return writer.isCurrent?.(value.subarray(writer.prefix.length)) ?? true;
  }

  encrypts(key: string): boolean {
    return this.#rules.byResource.size > 0 && this.#ciphersOf(key) !== PLAIN;
  }

  #candidates(key: string, value: Uint8Array): readonly ValueCipher[] {
    const { readers = [] } = this.#options;
    const ciphers = this.#ciphersOf(key);
    const found = [...ciphers, ...readers].filter(({ prefix }) => prefix !== '' && startsWith(value, prefix));
    if (found.length) return found;
    throw new Error(unreadable(ciphers, value));
  }

  #ciphersOf(key: string): readonly ValueCipher[] {
    const { byResource } = this.#rules;
    if (byResource.size === 0) return PLAIN;
    const [, , folder = '', resource = ''] = key.split('/', 4);
    const group = folder === 'core' ? '' : folder;
    return (
      byResource.get(group === '' ? resource : `${resource}.${group}`) ??
      byResource.get(`*.${group}`) ??
      byResource.get('*.*') ??
      PLAIN
    );
  }
}

/** Providers of one kind may overlap while a key is replaced: what one cannot open the next one may. */
function openWith(
  candidates: readonly ValueCipher[],
  index: number,
  value: Uint8Array,
  key: string,
): Uint8Array | Promise<Uint8Array> {
  const cipher = candidates[index]!;
  const next = (error: unknown) => {
    if (index + 1 >= candidates.length) throw error;
    return openWith(candidates, index + 1, value, key);
  };
  try {
    const opened = cipher.open(value.subarray(cipher.prefix.length), key);
    return opened instanceof Promise ? opened.catch(next) : opened;
  } catch (error) {
    return next(error);
  }
}

function unreadable(ciphers: readonly ValueCipher[], value: Uint8Array): string {
  for (const [family, name] of [
    ['k8s:enc:aesgcm:v1:', 'AES'],
    ['k8s:enc:aescbc:v1:', 'AES'],
    ['k8s:enc:secretbox:v1:', 'Secretbox'],
  ] as const)
    if (startsWith(value, family) && ciphers.some(({ prefix }) => prefix.startsWith(family)))
      return `no matching key was found for the provided ${name} transformer`;
  return ciphers.every((cipher) => cipher === identity)
    ? 'identity transformer tried to read encrypted data'
    : 'no matching prefix found';
}

async function rulesOf({ resources }: EncryptionConfiguration, { openKms }: EncryptionAtRestOptions): Promise<Rules> {
  const kms = new Map<string, KmsProvider>();
  const byResource = new Map<string, ValueCipher[]>();
  try {
    for (const rule of resources) {
      const ciphers: ValueCipher[] = [];
      for (const provider of rule.providers) {
        if (provider.type === 'kms' && !kms.has(provider.name)) kms.set(provider.name, await openKms(provider));
        ciphers.push(...(provider.type === 'kms' ? [kms.get(provider.name)!] : ciphersOf(provider)));
      }
      for (const name of rule.resources) {
        if (isMasked(name, byResource)) continue;
        byResource.set(name, [...(byResource.get(name) ?? []), ...ciphers]);
      }
    }
  } catch (error) {
    for (const provider of kms.values()) provider.close();
    throw error;
  }
  return { byResource, kms: [...kms.values()] };
}

/** A wildcard that stands before a name decides for it. */
function isMasked(name: string, rules: ReadonlyMap<string, unknown>): boolean {
  if (name === '*.*') return false;
  if (rules.has('*.*')) return true;
  const dot = name.indexOf('.');
  const group = `*.${dot < 0 ? '' : name.slice(dot + 1)}`;
  return name !== group && rules.has(group);
}

function ciphersOf(provider: Exclude<ProviderConfiguration, KmsConfiguration>): ValueCipher[] {
  if (provider.type === 'identity') return [identity];
  const make = { aesgcm: aesGcm, aescbc: aesCbc, secretbox }[provider.type];
  return provider.keys.map(({ name, secret }) => make(name, secret));
}
