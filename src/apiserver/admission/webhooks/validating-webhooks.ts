import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../../sdk/admission.ts';
import { isAdmissionConfiguration } from '../matching/rules.ts';
import type { WebhookCaller } from './webhook-caller.ts';

/** Calls validating webhooks all at once; the first refusal in their order is the client's. */
export function validatingWebhooks(webhooks: () => readonly WebhookCaller[]): AdmissionStep {
  return {
    name: 'ValidatingAdmissionWebhook',
    handles: (attributes) => webhooks().length > 0 && !isAdmissionConfiguration(attributes),
    async validate(attributes, object) {
      const results = await Promise.allSettled(webhooks().map((caller) => callIfSelected(caller, attributes, object)));
      const refused = results.find((result) => result.status === 'rejected');
      if (refused) throw refused.reason;
    },
  };
}

async function callIfSelected(
  caller: WebhookCaller,
  attributes: AdmissionAttributes,
  object: UnstructuredObject | undefined,
): Promise<void> {
  const match = caller.concerns(attributes);
  if (match && (await caller.selects(attributes, match, object))) await caller.call(attributes, match, object);
}
