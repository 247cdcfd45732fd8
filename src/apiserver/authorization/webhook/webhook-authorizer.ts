import type { Logger } from '../../../apimachinery/logger.ts';
import type { AuthorizationAttributes, AuthorizationDecision, Authorizer } from '../../../sdk/authorization.ts';
import { BoundedCache } from '../../authentication/bounded-cache.ts';
import type { ReviewClient } from '../../authentication/webhook/review-client.ts';
import { jsonToCel } from '../../cel/values.ts';
import type { WebhookConfiguration } from '../configuration/authorization-configuration.ts';
import { accessReviewSpec, accessReviewVariables } from './access-review-spec.ts';

export interface WebhookAuthorizerOptions {
  readonly name: string;
  readonly configuration: WebhookConfiguration;
  readonly client: ReviewClient;
  readonly logger: Logger;
  readonly now?: () => number;
}

interface Answer {
  readonly decision: AuthorizationDecision;
  readonly until: number;
}

const NO_OPINION: AuthorizationDecision = { decision: 'noOpinion' };
/** Longer questions are not remembered: a caller could fill the memory with them. */
const MAX_CACHED_LENGTH = 10_000;
/** Of all attempts together. */
const DEADLINE_MS = 60_000;

/** Asks a webhook by SubjectAccessReview. What it can't say, its failure policy says. */
export class WebhookAuthorizer implements Authorizer {
  readonly name: string;
  readonly deadlineMs = DEADLINE_MS;
  readonly #configuration: WebhookConfiguration;
  readonly #client: ReviewClient;
  readonly #logger: Logger;
  readonly #now: () => number;
  readonly #answers = new BoundedCache<string, Answer>(8192);

  constructor(options: WebhookAuthorizerOptions) {
    this.name = options.name;
    this.#configuration = options.configuration;
    this.#client = options.client;
    this.#logger = options.logger;
    this.#now = options.now ?? Date.now;
  }

  authorize(attributes: AuthorizationAttributes): AuthorizationDecision | Promise<AuthorizationDecision> {
    const spec = accessReviewSpec(attributes);
    if (this.#configuration.matchConditions.length) {
      try {
        if (!this.#matches(accessReviewVariables(spec))) return NO_OPINION;
      } catch (error) {
        return this.#failed(error);
      }
    }
    const key = JSON.stringify(spec);
    const known = this.#answers.use(key);
    if (known && this.#now() < known.until) return known.decision;
    return this.#ask(spec, key).catch((error) => this.#failed(error));
  }

  close(): Promise<void> {
    return this.#client.close();
  }

  /** A condition that does not hold goes before one that fails. */
  #matches(request: object): boolean {
    const variables = { request: jsonToCel(request) };
    const errors: string[] = [];
    for (const expression of this.#configuration.matchConditions) {
      try {
        const value = expression.evaluate(variables);
        if (value === false) return false;
        if (value !== true) errors.push(`cel evaluation error: expression '${expression.source}' is no bool`);
      } catch (error) {
        errors.push(
          `cel evaluation error: expression '${expression.source}' resulted in error: ${(error as Error).message}`,
        );
      }
    }
    if (errors.length) throw new Error(errors.join(', '));
    return true;
  }

  async #ask(spec: object, key: string): Promise<AuthorizationDecision> {
    const { version, timeoutMs, authorizedTTLMs, unauthorizedTTLMs } = this.#configuration;
    const status = await this.#client.post(
      {
        apiVersion: `authorization.k8s.io/${version}`,
        kind: 'SubjectAccessReview',
        metadata: { creationTimestamp: null },
        spec: version === 'v1' ? spec : betaSpec(spec),
        status: { allowed: false },
      },
      timeoutMs,
    );
    if (status.allowed === true && status.denied === true)
      throw new Error('webhook subject access review returned both allow and deny response');
    const decision: AuthorizationDecision = {
      decision: status.allowed === true ? 'allow' : status.denied === true ? 'deny' : 'noOpinion',
      ...(typeof status.reason === 'string' && status.reason !== '' ? { reason: status.reason } : {}),
    };
    const ttl = status.allowed === true ? authorizedTTLMs : unauthorizedTTLMs;
    if (ttl > 0 && key.length < MAX_CACHED_LENGTH) this.#answers.set(key, { decision, until: this.#now() + ttl });
    return decision;
  }

  #failed(error: unknown): AuthorizationDecision {
    this.#logger.error({ err: error, authorizer: this.name }, 'Failed to make webhook authorizer request');
    return this.#configuration.failurePolicy === 'Deny' ? { decision: 'deny' } : NO_OPINION;
  }
}

/** v1beta1 calls the groups `group`. */
function betaSpec(spec: object): object {
  const { groups, ...rest } = spec as { readonly groups?: unknown };
  return groups === undefined ? rest : { ...rest, group: groups };
}
