import { defineKind } from '../define.ts';
import type { ValidatingWebhookConfiguration } from '../types/admissionregistration.v1.gen.ts';
import { defaultWebhook, validateWebhooks, webhookColumns } from './webhooks.ts';

export const validatingWebhookConfiguration = defineKind<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  generation: 'spec',
  default: ({ webhooks }) => webhooks?.forEach(defaultWebhook),
  validate: (object) => validateWebhooks(object.webhooks),
  columns: webhookColumns,
});
