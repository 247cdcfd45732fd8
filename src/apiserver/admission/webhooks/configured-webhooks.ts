import type {
  MutatingWebhookConfiguration,
  ValidatingWebhookConfiguration,
} from '../../../api/types/admissionregistration.v1.gen.ts';
import type { ConfiguredStep, DynamicAdmissionOptions } from '../configured-step.ts';
import { mutatingWebhooks } from './mutating-webhooks.ts';
import { validatingWebhooks } from './validating-webhooks.ts';
import { WebhookConfigurations } from './webhook-configurations.ts';

type Configuration = ValidatingWebhookConfiguration | MutatingWebhookConfiguration;

/** The step of all webhooks of one sort. */
export async function configuredWebhooks(
  { webhooks, ...options }: DynamicAdmissionOptions,
  sort: 'mutating' | 'validating',
): Promise<ConfiguredStep> {
  const services = { ...options, client: await webhooks() };
  const configurations = new WebhookConfigurations(services);
  return {
    step: sort === 'mutating' ? mutatingWebhooks(services, configurations.all) : validatingWebhooks(configurations.all),
    upsert: (_, object) => configurations.upsert(object as unknown as Configuration),
    remove: (_, object) => configurations.remove(object as unknown as Configuration),
  };
}
