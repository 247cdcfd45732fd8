import { type Draft, draft } from '../../../apimachinery/json.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { applyJsonPatch } from '../../../apimachinery/patch/json-patch.ts';
import { internalError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../../sdk/admission.ts';
import type { RequestMatch } from '../matching/request-match.ts';
import { isAdmissionConfiguration } from '../matching/rules.ts';
import { replaceObject } from '../replace-object.ts';
import type { WebhookCaller, WebhookServices } from './webhook-caller.ts';

const AUDIT_PREFIX = 'mutation.webhook.admission.k8s.io/';

/** What one request has been through: the second round is for those whose turn was before another's change. */
interface Rounds {
  round: number;
  /** As each webhook last saw the object. */
  readonly seen: Map<WebhookCaller, string>;
  /** As the webhooks left the object. */
  left: string;
  changed: boolean;
}

/** Calls mutating webhooks one after the other, in order of their configurations' names. */
export function mutatingWebhooks(services: WebhookServices, webhooks: () => readonly WebhookCaller[]): AdmissionStep {
  const requests = new WeakMap<AdmissionAttributes, Rounds>();
  return {
    name: 'MutatingAdmissionWebhook',
    handles: (attributes) => webhooks().length > 0 && !isAdmissionConfiguration(attributes),
    async mutate(attributes, object) {
      const rounds = requests.get(attributes) ?? { round: -1, seen: new Map(), left: '', changed: false };
      requests.set(attributes, rounds);
      rounds.round++;
      for (const [index, caller] of webhooks().entries()) {
        const match = caller.concerns(attributes);
        if (!match) continue;
        if (rounds.round > 0 && !isDueAgain(caller, rounds, object)) continue;
        if (!(await caller.selects(attributes, match, object as UnstructuredObject))) continue;
        const turn = `round_${rounds.round}_index_${index}`;
        let changed = false;
        try {
          const response = await caller.call(attributes, match, object as UnstructuredObject, 'admit');
          if (!response) attributes.annotateAudit(`failed-open.${AUDIT_PREFIX}${turn}`, caller.webhook.name);
          if (response?.patch?.length) changed = await patchObject(services, attributes, match, object, response.patch);
        } finally {
          attributes.annotateAudit(
            `${AUDIT_PREFIX}${turn}`,
            JSON.stringify({ configuration: caller.configuration, webhook: caller.webhook.name, mutated: changed }),
          );
        }
        if (changed) rounds.changed = true;
        rounds.seen.set(caller, JSON.stringify(object));
      }
    },
    reinvoke(attributes) {
      const rounds = requests.get(attributes);
      return rounds !== undefined && rounds.round === 0 && rounds.changed;
    },
    /** Deletions have no object to change, but may be refused. */
    async validate(attributes) {
      if (attributes.operation !== 'DELETE') return;
      for (const caller of webhooks()) {
        const match = caller.concerns(attributes);
        if (!match || !(await caller.selects(attributes, match, undefined))) continue;
        const response = await caller.call(attributes, match, undefined, 'admit');
        if (response?.patch?.length)
          throw internalError(
            `admission webhook ${JSON.stringify(caller.webhook.name)} attempted to modify the object, which is not supported for this operation`,
          );
      }
    },
  };
}

function isDueAgain(caller: WebhookCaller, { seen }: Rounds, object: Draft<UnstructuredObject>): boolean {
  const before = seen.get(caller);
  return caller.webhook.reinvocationPolicy === 'IfNeeded' && before !== undefined && before !== JSON.stringify(object);
}

/** Throws InternalError for a patch that does not fit the object. */
async function patchObject(
  { kinds }: WebhookServices,
  attributes: AdmissionAttributes,
  match: RequestMatch,
  object: Draft<UnstructuredObject>,
  patch: readonly unknown[],
): Promise<boolean> {
  try {
    return await replaceObject(
      kinds,
      attributes,
      match,
      object,
      (before) => draft(applyJsonPatch(before, patch)) as Draft<UnstructuredObject>,
    );
  } catch (error) {
    const { cause, message } = error as Error;
    throw internalError(typeof cause === 'string' ? cause : message);
  }
}
