import { dirname } from 'node:path';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AdmissionConfiguration } from '../../apiserver/admission/configuration/admission-configuration.ts';
import type { SecurityOptions } from '../../apiserver/security.ts';
import { type ClusterConfig, invalidOption } from '../options.ts';

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
  return { enable, disable, ...(configuration ? { configuration } : {}) };
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
