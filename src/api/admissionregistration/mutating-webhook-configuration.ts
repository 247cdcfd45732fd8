import { defineKind } from '../define.ts';
import type { MutatingWebhookConfiguration } from '../types/admissionregistration.v1.gen.ts';
import { defaultWebhook, validateWebhooks, webhookColumns } from './webhooks.ts';

export const mutatingWebhookConfiguration = defineKind<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ webhooks }) => {
    for (const webhook of webhooks ?? []) {
      defaultWebhook(webhook);
      webhook.reinvocationPolicy ??= 'Never';
    }
  },
  // An old configuration without webhooks is one that has none to tolerate.
  validate: (object, old) => validateWebhooks(object.webhooks, old && (old.webhooks ?? [])),
  columns: webhookColumns,
});
