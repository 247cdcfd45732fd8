import { dirname, resolve } from 'node:path';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AdmissionConfiguration } from '../../apiserver/admission/configuration/admission-configuration.ts';
import type { SecurityOptions } from '../../apiserver/security.ts';
import { type ClusterConfig, invalidOption } from '../options.ts';
import { connectionOf } from './access.ts';

type AdmissionConfig = Pick<
  ClusterConfig,
  'admissionControlConfigFile' | 'enableAdmissionPlugins' | 'disableAdmissionPlugins'
>;

/** Which admission steps there are and what they go by. Throws CodedError. */
export async function admissionOptions(
  config: AdmissionConfig,
  logger: Logger,
): Promise<NonNullable<SecurityOptions['admission']>> {
  const { enableAdmissionPlugins: enable, disableAdmissionPlugins: disable, admissionControlConfigFile: file } = config;
  const configuration = file ? await readConfiguration(file, logger) : undefined;
  if (enable.includes('EventRateLimit') && !configuration?.eventLimits)
    throw invalidOption(
      'the admission plugin EventRateLimit has no limits',
      'Give them in an AdmissionConfiguration with --admission-control-config-file.',
    );
  if (!enable.includes('ImagePolicyWebhook')) return { enable, disable, ...(configuration ? { configuration } : {}) };
  if (!file || !configuration?.imagePolicy)
    throw invalidOption(
      'the admission plugin ImagePolicyWebhook has no webhook',
      'Give it in an AdmissionConfiguration with --admission-control-config-file.',
    );
  const imagePolicy = await imageReviews(configuration.imagePolicy, dirname(file), logger);
  return { enable, disable, configuration, imagePolicy };
}

const REVIEW_TIMEOUT_MS = 30_000;

async function imageReviews(
  { kubeConfigFile, retryBackoffMs, ...policy }: NonNullable<AdmissionConfiguration['imagePolicy']>,
  folder: string,
  logger: Logger,
): Promise<NonNullable<NonNullable<SecurityOptions['admission']>['imagePolicy']>> {
  const [{ ReviewClient }, { openConfigurationFile }] = await Promise.all([
    import('../../apiserver/authentication/webhook/review-client.ts'),
    import('../../apiserver/configuration-file.ts'),
  ]);
  const path = resolve(folder, kubeConfigFile);
  let client: InstanceType<typeof ReviewClient> | undefined;
  await openConfigurationFile({
    path,
    kind: 'kubeconfig',
    code: 'ADMISSION_CONFIG_INVALID',
    reload: false,
    logger,
    use: async (document) => {
      client = new ReviewClient(await connectionOf(document, dirname(path)), { retryMs: retryBackoffMs });
    },
  });
  return { ...policy, review: (review) => client!.post(review, REVIEW_TIMEOUT_MS) };
}

async function readConfiguration(path: string, logger: Logger): Promise<AdmissionConfiguration | undefined> {
  const [{ readAdmissionConfiguration }, { openConfigurationFile, readYamlFile }] = await Promise.all([
    import('../../apiserver/admission/configuration/admission-configuration.ts'),
    import('../../apiserver/configuration-file.ts'),
  ]);
  let configuration: AdmissionConfiguration | undefined;
  await openConfigurationFile({
    path,
    kind: 'AdmissionConfiguration',
    code: 'ADMISSION_CONFIG_INVALID',
    reload: false,
    logger,
    use: async (document) => {
      configuration = await readAdmissionConfiguration(document, dirname(path), readYamlFile);
    },
  });
  return configuration;
}
