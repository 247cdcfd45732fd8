import { defineKind } from '../define.ts';
import type { MutatingWebhookConfiguration } from '../types/admissionregistration.v1.gen.ts';
import { defaultWebhook, validateWebhooks, webhookColumns } from './webhooks.ts';

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  generation: 'spec',
  default: ({ webhooks }) => {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  validate: (object) => validateWebhooks(object.webhooks),
  columns: webhookColumns,
});
