import { join } from 'node:path';
import type { Logger } from '../../apimachinery/logger.ts';
import type { EncryptionAtRest } from '../../apiserver/encryption/encryption-at-rest.ts';
import type { KmsMetrics } from '../../apiserver/encryption/kms/kms-metrics.ts';
import type { Store } from '../../store/store.ts';
import type { ClusterConfig } from '../options.ts';

export interface Encryption {
  readonly transformer: EncryptionAtRest;
  /** Present with a configuration file: whether its KMS plugins are well. */
  readonly check?: () => Promise<void>;
  stop(): void;
}

/**
 * Encryption at rest as the user configured it, or of Secrets with a key of the data directory. Undefined without either.
 * Throws CodedError.
 */
export async function openEncryption(
  { encryptionProviderConfig: file, encryptionProviderConfigAutomaticReload: reload, dataDir }: ClusterConfig,
  store: Store,
  logger: Logger,
): Promise<Encryption | undefined> {
  const keyFile = dataDir && store.name !== 'memory' ? join(dataDir, 'pki', 'encryption.key') : undefined;
  if (!file && !keyFile) return undefined;
  const [{ EncryptionAtRest }, keys] = await Promise.all([
    import('../../apiserver/encryption/encryption-at-rest.ts'),
    import('../../apiserver/encryption/default-encryption.ts'),
  ]);
  let metrics: KmsMetrics | undefined;
  const kmsMetrics = { families: () => metrics?.families() ?? [] };
  const openKms: ConstructorParameters<typeof EncryptionAtRest>[0]['openKms'] = async (configuration) => {
    const [{ KmsProvider }, { KmsMetrics }] = await Promise.all([
      import('../../apiserver/encryption/kms/kms-provider.ts'),
      import('../../apiserver/encryption/kms/kms-metrics.ts'),
    ]);
    metrics ??= new KmsMetrics();
    return new KmsProvider({ ...configuration, logger, metrics });
  };
  if (!file) {
    const key = await keys.openDefaultKey(keyFile!, store);
    const transformer = new EncryptionAtRest({ openKms, kmsMetrics });
    await transformer.use(keys.defaultConfiguration(key));
    return { transformer, stop: () => transformer.close() };
  }
  const [{ openConfigurationFile }, { readEncryptionConfiguration }] = await Promise.all([
    import('../../apiserver/configuration-file.ts'),
    import('../../apiserver/encryption/encryption-configuration.ts'),
  ]);
  // What was encrypted before there was a configuration is still read.
  const key = keyFile && (await keys.readDefaultKey(keyFile));
  const transformer = new EncryptionAtRest({ openKms, kmsMetrics, readers: key ? [keys.defaultReader(key)] : [] });
  const unfollow = await openConfigurationFile({
    path: file,
    kind: 'EncryptionConfiguration',
    code: 'INVALID_ENCRYPTION_CONFIG',
    reload,
    logger,
    use: (document) => transformer.use(readEncryptionConfiguration(document)),
  }).catch((error) => {
    transformer.close();
    throw error;
  });
  return {
    transformer,
    check: () => transformer.checkKms(),
    stop() {
      unfollow();
      transformer.close();
    },
  };
}
