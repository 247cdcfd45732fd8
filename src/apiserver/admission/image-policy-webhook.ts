import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { BoundedCache } from '../authentication/bounded-cache.ts';
import { isFor, rejected } from './rejection.ts';

export interface ImagePolicyOptions {
  readonly allowTTLMs: number;
  readonly denyTTLMs: number;
  /** Pods are let through when the webhook fails. */
  readonly defaultAllow: boolean;
  /** Posts an ImageReview and resolves to its status. */
  readonly review: (review: object) => Promise<Readonly<Record<string, unknown>>>;
  readonly now?: () => number;
}

interface Answer {
  readonly allowed: boolean;
  readonly reason: string;
  readonly auditAnnotations: Readonly<Record<string, unknown>>;
  readonly until: number;
}

const AUDIT_PREFIX = 'imagepolicywebhook.image-policy.k8s.io/';

/** A webhook says which images pods may run. Off by default. */
export function imagePolicyWebhook(options: ImagePolicyOptions | undefined): AdmissionStep {
  const answers = new BoundedCache<string, Answer>(1024);
  const now = options?.now ?? Date.now;

  async function ask(spec: object, { allowTTLMs, denyTTLMs, review }: ImagePolicyOptions): Promise<Answer> {
    const key = JSON.stringify(spec);
    const known = answers.use(key);
    if (known && now() < known.until) return known;
    const status = await review({
      apiVersion: 'imagepolicy.k8s.io/v1alpha1',
      kind: 'ImageReview',
      metadata: { creationTimestamp: null },
      spec,
      status: { allowed: false },
    });
    const { reason, auditAnnotations } = status;
    const allowed = status.allowed === true;
    const answer: Answer = {
      allowed,
      reason: typeof reason === 'string' ? reason : '',
      auditAnnotations: typeof auditAnnotations === 'object' && auditAnnotations ? { ...auditAnnotations } : {},
      until: now() + (allowed ? allowTTLMs : denyTTLMs),
    };
    answers.set(key, answer);
    return answer;
  }

  return {
    name: 'ImagePolicyWebhook',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
      (isFor(attributes, '', 'pods') || isFor(attributes, '', 'pods', 'ephemeralcontainers')),
    async validate(attributes, object) {
      if (!options) return;
      let answer: Answer;
      try {
        answer = await ask(reviewSpec(attributes, object as unknown as Pod), options);
      } catch (error) {
        if (!options.defaultAllow) throw rejected(attributes, object, (error as Error).message);
        attributes.annotateAudit(`${AUDIT_PREFIX}failed-open`, 'true');
        return;
      }
      for (const [key, value] of Object.entries(answer.auditAnnotations))
        attributes.annotateAudit(`${AUDIT_PREFIX}${key}`, String(value));
      if (answer.allowed) return;
      throw rejected(
        attributes,
        object,
        answer.reason
          ? `image policy webhook backend denied one or more images: ${answer.reason}`
          : 'one or more images rejected by webhook backend',
      );
    },
  };
}

function reviewSpec({ subresource, namespace }: AdmissionAttributes, { metadata, spec }: Pod): object {
  const containers =
    subresource === '' ? [...spec.containers, ...(spec.initContainers ?? [])] : (spec.ephemeralContainers ?? []);
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) =>
    key.includes('.image-policy.k8s.io/'),
  );
  return {
    containers: containers.map(({ image }) => ({ image })),
    ...(annotations.length ? { annotations: Object.fromEntries(annotations) } : {}),
    namespace,
  };
}
