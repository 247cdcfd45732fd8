import { defineKind } from '../define.ts';
import type { ValidatingWebhookConfiguration } from '../types/admissionregistration.v1.gen.ts';
import { defaultWebhook, validateWebhooks, webhookColumns } from './webhooks.ts';

export const validatingWebhookConfiguration = defineKind<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ webhooks }) => webhooks?.forEach(defaultWebhook),
  // An old configuration without webhooks is one that has none to tolerate.
  validate: (object, old) => validateWebhooks(object.webhooks, old && (old.webhooks ?? [])),
  columns: webhookColumns,
});
