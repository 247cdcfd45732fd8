import type { KindRegistry } from '../../../api/kind.ts';
import type { MutatingWebhook } from '../../../api/types/admissionregistration.v1.gen.ts';
import type { Logger } from '../../../apimachinery/logger.ts';
import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import { badRequest, internalError, isStatusError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { Authorizer } from '../../../sdk/authorization.ts';
import type { RequestConditions } from '../../cel/request-conditions.ts';
import type { ObjectReader } from '../../object-reader.ts';
import type { WebhookClient } from '../../webhooks/webhook-client.ts';
import type { AdmissionMetrics, AdmissionType } from '../admission-metrics.ts';
import { convertTo } from '../matching/equivalents.ts';
import { matchRequest, type RequestMatch } from '../matching/request-match.ts';
import { RequestSelectors } from '../matching/selectors.ts';
import { rejected } from '../rejection.ts';
import { denial, type ReviewResponse, readReview, reviewRequest } from './admission-review.ts';

export interface WebhookServices {
  readonly kinds: KindRegistry;
  readonly reader: ObjectReader;
  readonly client: WebhookClient;
  readonly authorizer: Authorizer;
  readonly logger: Logger;
  readonly metrics?: AdmissionMetrics;
}

/** What a mutating and a validating webhook have in common. */
export type WebhookDefinition = Omit<MutatingWebhook, 'reinvocationPolicy'> & { readonly reinvocationPolicy?: string };

const DEFAULT_TIMEOUT_SECONDS = 10;

/** One webhook of a configuration: whether a request is its business, and the call. */
export class WebhookCaller {
  readonly webhook: WebhookDefinition;
  readonly configuration: string;
  readonly #services: WebhookServices;
  readonly #selectors: RequestSelectors;
  #conditions: Promise<RequestConditions> | undefined;

  constructor(services: WebhookServices, configuration: string, webhook: WebhookDefinition) {
    this.#services = services;
    this.configuration = configuration;
    this.webhook = webhook;
    this.#selectors = new RequestSelectors(services.reader, webhook.namespaceSelector, webhook.objectSelector);
  }

  /** Whether any rule is about the request, whatever the object. */
  concerns(attributes: AdmissionAttributes): RequestMatch | undefined {
    const { rules = [], matchPolicy } = this.webhook;
    return matchRequest(this.#services.kinds, attributes, { rules, matchPolicy });
  }

  /** Whether the object and its namespace are selected and the conditions hold. Throws what the failure policy makes of errors. */
  async selects(
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
  ): Promise<boolean> {
    if (!this.#selectors.matchesObject(object, attributes.oldObject)) return false;
    if (!(await this.#selectors.matchesNamespace(attributes, object))) return false;
    const { matchConditions } = this.webhook;
    if (!matchConditions?.length) return true;
    this.#conditions ??= import('../../cel/request-conditions.ts').then(
      ({ RequestConditions }) => new RequestConditions(matchConditions, this.#services.authorizer),
    );
    const result = await (await this.#conditions).evaluate(attributes, match, object);
    if (result.error === undefined) return result.matches;
    if (this.#ignoresFailure) return false;
    throw rejected(attributes, object, result.error);
  }

  /** `undefined`: the call failed, and its failure is to be ignored. Throws the refusal. */
  async call(
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
    type: AdmissionType,
  ): Promise<ReviewResponse | undefined> {
    const { webhook } = this;
    const since = performance.now();
    const observe = (rejected: boolean, code: number, failed = false) =>
      this.#services.metrics?.webhook({
        name: webhook.name,
        type,
        operation: attributes.operation,
        seconds: (performance.now() - since) / 1000,
        rejected,
        code,
        failed,
        failedOpen: failed && !rejected,
      });
    if (attributes.dryRun && webhook.sideEffects !== 'None' && webhook.sideEffects !== 'NoneOnDryRun')
      throw badRequest(`admission webhook ${JSON.stringify(webhook.name)} does not support dry run`);
    let response: ReviewResponse;
    try {
      response = await this.#post(attributes, match, object, type === 'admit');
    } catch (error) {
      const failure = `failed calling webhook ${JSON.stringify(webhook.name)}: ${(error as Error).message}`;
      observe(!this.#ignoresFailure, 500, true);
      if (!this.#ignoresFailure) throw internalError(failure);
      this.#services.logger.warn(
        { webhook: webhook.name, configuration: this.configuration },
        `${failure}; its failure policy lets the request pass`,
      );
      return undefined;
    }
    for (const [key, value] of Object.entries(response.auditAnnotations))
      attributes.annotateAudit(`${webhook.name}/${key}`, String(value));
    for (const warning of response.warnings) attributes.warn(warning);
    observe(!response.allowed, response.allowed ? 200 : (response.status?.code ?? 400));
    if (!response.allowed) throw denial(webhook.name, response.status);
    return response;
  }

  get #ignoresFailure(): boolean {
    return this.webhook.failurePolicy === 'Ignore';
  }

  async #post(
    attributes: AdmissionAttributes,
    match: RequestMatch,
    object: UnstructuredObject | undefined,
    mutating: boolean,
  ): Promise<ReviewResponse> {
    const { webhook } = this;
    const seconds = webhook.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS;
    const objects = {
      object: object && (await this.#inForm(object, attributes, match)),
      oldObject: attributes.oldObject && (await this.#inForm(attributes.oldObject, attributes, match)),
    };
    const { uid, version, body } = reviewRequest(attributes, match, objects, webhook.admissionReviewVersions ?? ['v1']);
    let answer: unknown;
    try {
      answer = await this.#services.client.post({
        config: webhook.clientConfig,
        body,
        timeoutMs: seconds * 1000,
        query: `timeout=${seconds}s`,
      });
    } catch (error) {
      throw new Error(`failed to call webhook: ${(error as Error).message}`);
    }
    return readReview(answer, uid, version, mutating);
  }

  async #inForm(
    object: UnstructuredObject,
    attributes: AdmissionAttributes,
    match: RequestMatch,
  ): Promise<UnstructuredObject> {
    if (!match.definition) return object;
    const { group, version, resource } = attributes.resource;
    const own = this.#services.kinds.byResource(group, version, resource)!;
    try {
      return (await convertTo(object, own, match.definition)) as UnstructuredObject;
    } catch (error) {
      throw isStatusError(error) ? new Error(error.message) : error;
    }
  }
}
