import type { AdmissionStep } from '../../../sdk/admission.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { isAdmissionConfiguration } from '../matching/rules.ts';
import type { WebhookCaller } from './webhook-caller.ts';

/** Calls validating webhooks all at once; the first refusal in their order is the client's. */
export function validatingWebhooks(webhooks: () => readonly WebhookCaller[]): AdmissionStep {
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (attributes) => webhooks().length > 0 && !isAdmissionConfiguration(attributes),
    async validate(attributes, object) {
      const relevant: { readonly caller: WebhookCaller; readonly match: RequestMatch }[] = [];
      for (const caller of webhooks()) {
        const match = caller.concerns(attributes);
        if (match && (await caller.selects(attributes, match, object))) relevant.push({ caller, match });
      }
      const results = await Promise.allSettled(
        relevant.map(async ({ caller, match }, index) => {
          if (await caller.call(attributes, match, object, 'validate')) return;
          attributes.annotateAudit(
            `failed-open.validating.webhook.admission.k8s.io/round_0_index_${index}`,
            caller.webhook.name,
          );
        }),
      );
      const refused = results.find((result) => result.status === 'rejected');
      if (refused) throw refused.reason;
    },
  };
}
