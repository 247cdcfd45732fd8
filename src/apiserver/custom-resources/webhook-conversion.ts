import { randomUUID } from 'node:crypto';
import { validateAnnotations } from '../../api/core/pod-spec/index.ts';
import type { WebhookConversion } from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { FieldPath } from '../../apimachinery/field.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { StatusError } from '../../apimachinery/status-error.ts';
import type { WebhookClient } from '../webhooks/webhook-client.ts';
import type { Converter } from './definition.ts';

const TIMEOUT_MS = 30_000;

/** Conversion by the CRD's webhook, `ConversionReview` v1 (or v1beta1, where that is all it knows). */
export function webhookConverter(webhook: WebhookConversion, client: WebhookClient): Converter {
  const reviewVersion =
    webhook.conversionReviewVersions.find((version) => version === 'v1' || version === 'v1beta1') ?? 'v1';
  return async (objects, apiVersion) => {
    const pending = objects.filter((object) => object.apiVersion !== apiVersion);
    if (pending.length === 0) return objects;
    const uid = randomUUID();
    const { apiVersion: from, kind } = pending[0]!;
    const fail = (why: string) => conversionError(`conversion webhook for ${from}, Kind=${kind} ${why}`);
    let answer: unknown;
    try {
      answer = await client.post({
        config: webhook.clientConfig!,
        timeoutMs: TIMEOUT_MS,
        query: 'timeout=30s',
        body: {
          kind: 'ConversionReview',
          apiVersion: `apiextensions.k8s.io/${reviewVersion}`,
          request: { uid, desiredAPIVersion: apiVersion, objects: pending },
        },
      });
    } catch (error) {
      throw fail(`failed: ${(error as Error).message}`);
    }
    const converted = convertedObjects(answer, uid, reviewVersion, (why) => fail(`failed: ${why}`));
    if (converted.length !== pending.length)
      throw fail(`returned ${converted.length} objects, expected ${pending.length}`);
    const single = objects.length === 1;
    const results = new Map(
      pending.map((object, index) => [
        object,
        checked(converted[index], object, apiVersion, (fault, why) =>
          fail(`returned ${faults[fault](single, index)}: ${why}`),
        ),
      ]),
    );
    return objects.map((object) => results.get(object) ?? object);
  };
}

/** What was converted is not of the wanted version or kind, is another object, or has metadata that it may not have. */
type Fault = 'type' | 'object' | 'metadata';

const faults: Readonly<Record<Fault, (single: boolean, index: number) => string>> = {
  type: (single, index) => `invalid ${single ? '' : 'converted '}object at index ${index}`,
  object: (single, index) => (single ? 'invalid object' : `invalid converted object at index ${index}`),
  metadata: (single, index) => (single ? 'invalid metadata' : `invalid metadata in object at index ${index}`),
};

type Fail = (why: string) => StatusError;

/** As upstream has it: a failure without a reason. */
const conversionError = (message: string) => new StatusError({ code: 500, message });

function convertedObjects(answer: unknown, uid: string, version: string, fail: Fail): readonly unknown[] {
  const { response, kind, apiVersion } = (isDictionary(answer) ? answer : {}) as {
    kind?: string;
    apiVersion?: string;
    response?: { uid?: string; result?: { status?: string; message?: string }; convertedObjects?: readonly unknown[] };
  };
  // Webhooks of the beta said neither what they answered with nor to what.
  const strict = version === 'v1';
  if (strict && (kind !== 'ConversionReview' || apiVersion !== 'apiextensions.k8s.io/v1'))
    throw fail(
      `expected webhook response of apiextensions.k8s.io/v1, Kind=ConversionReview, got ${apiVersion ?? ''}, Kind=${kind ?? ''}`,
    );
  if (!response) throw fail('no response provided');
  if (strict && response.uid !== uid)
    throw fail(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const { status = '', message } = response.result ?? {};
  if (status !== 'Success') throw fail(message || `response.result.status was '${status}', not 'Success'`);
  return response.convertedObjects ?? [];
}

/** What a webhook may change: everything but what the object is. Metadata is the old one's but for labels and annotations. */
function checked(
  value: unknown,
  original: UnstructuredObject,
  apiVersion: string,
  fail: (fault: Fault, why: string) => StatusError,
): UnstructuredObject {
  const invalid = (why: string) => fail('object', why);
  if (!isDictionary(value)) throw invalid("Object 'Kind' is missing");
  if (value.apiVersion !== apiVersion)
    throw fail('type', `invalid groupVersion (expected ${apiVersion}, received ${String(value.apiVersion)})`);
  if (value.kind !== original.kind)
    throw fail('type', `invalid kind (expected ${original.kind}, received ${String(value.kind)})`);
  const { metadata } = value;
  const given = isDictionary(metadata) ? metadata : {};
  for (const [field, name] of [
    ['name', 'name'],
    ['namespace', 'namespace'],
    ['uid', 'UID'],
  ] as const)
    if ((given[field] ?? '') !== (original.metadata[field] ?? ''))
      throw invalid(`must have the same ${name}: ${original.metadata[field] ?? ''} != ${given[field] ?? ''}`);
  const unfit = (why: string) => fail('metadata', why);
  if (!isDictionary(metadata)) throw unfit('missing metadata in converted object');
  const kept = { ...original.metadata } as Record<string, unknown>;
  for (const field of ['labels', 'annotations'] as const) {
    const changed = metadata[field];
    if (changed === undefined || changed === null) delete kept[field];
    else if (!deepEqual(kept[field], changed)) kept[field] = checkedTexts(field, changed, unfit);
  }
  return { ...value, metadata: kept } as unknown as UnstructuredObject;
}

function checkedTexts(field: 'labels' | 'annotations', given: unknown, unfit: Fail): Readonly<Record<string, string>> {
  if (!isDictionary(given)) throw unfit(`invalid metadata.${field} of type ${typeof given} in converted object`);
  for (const [key, value] of Object.entries(given))
    if (typeof value !== 'string')
      throw unfit(`metadata.${field}[${key}] must be a string, but is ${typeof value} in converted object`);
  const texts = given as Record<string, string>;
  const path = FieldPath.of('metadata', field);
  const errors = field === 'labels' ? validateLabels(texts, path) : validateAnnotations(texts, path);
  if (errors.length) throw unfit(errors.length === 1 ? String(errors[0]) : `[${errors.map(String).join(', ')}]`);
  return texts;
}
