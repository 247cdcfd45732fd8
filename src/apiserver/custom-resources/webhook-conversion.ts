import { randomUUID } from 'node:crypto';
import type { WebhookConversion } from '../../api/types/apiextensions.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { isDictionary } from '../../apimachinery/schema-walk.ts';
import { internalError, type StatusError } from '../../apimachinery/status-error.ts';
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
    const fail = (why: string) => internalError(`conversion webhook for ${from}, Kind=${kind} failed: ${why}`);
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
      throw fail((error as Error).message);
    }
    const converted = convertedObjects(answer, uid, reviewVersion, fail);
    if (converted.length !== pending.length)
      throw fail(`webhook returned ${converted.length} objects, expected ${pending.length}`);
    const results = new Map(
      pending.map((object, index) => [object, checked(converted[index], object, apiVersion, index, fail)]),
    );
    return objects.map((object) => results.get(object) ?? object);
  };
}

type Fail = (why: string) => StatusError;

function convertedObjects(answer: unknown, uid: string, version: string, fail: Fail): readonly unknown[] {
  const { response, kind, apiVersion } = (isDictionary(answer) ? answer : {}) as {
    kind?: string;
    apiVersion?: string;
    response?: { uid?: string; result?: { status?: string; message?: string }; convertedObjects?: readonly unknown[] };
  };
  if (kind !== 'ConversionReview' || apiVersion !== `apiextensions.k8s.io/${version}`)
    throw fail(
      `invalid response: expected webhook response of apiextensions.k8s.io/${version}, Kind=ConversionReview, got ${apiVersion}, Kind=${kind}`,
    );
  if (!response) throw fail('invalid response: no response provided');
  if (version === 'v1' && response.uid !== uid)
    throw fail(
      `invalid response: expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`,
    );
  if (response.result?.status !== 'Success')
    throw fail(response.result?.message || `failed to convert objects, status: ${response.result?.status ?? ''}`);
  return response.convertedObjects ?? [];
}

/** What a webhook may change: everything but what the object is. Metadata is the old one's but for labels and annotations. */
function checked(
  value: unknown,
  original: UnstructuredObject,
  apiVersion: string,
  index: number,
  fail: Fail,
): UnstructuredObject {
  if (!isDictionary(value)) throw fail(`invalid converted object at index ${index}: not an object`);
  const invalid = (why: string) => fail(`invalid converted object at index ${index}: ${why}`);
  if (value.apiVersion !== apiVersion)
    throw invalid(`invalid groupVersion (expected ${apiVersion}, received ${String(value.apiVersion)})`);
  if (value.kind !== original.kind)
    throw invalid(`invalid kind (expected ${original.kind}, received ${String(value.kind)})`);
  const metadata = isDictionary(value.metadata) ? value.metadata : {};
  for (const field of ['name', 'namespace', 'uid'] as const)
    if ((metadata[field] ?? '') !== (original.metadata[field] ?? ''))
      throw invalid(
        `must have the same ${field}: ${JSON.stringify(original.metadata[field] ?? '')} != ${JSON.stringify(metadata[field] ?? '')}`,
      );
  const { labels, annotations } = metadata as { labels?: Record<string, string>; annotations?: Record<string, string> };
  const kept = { ...original.metadata } as Record<string, unknown>;
  for (const [field, given] of Object.entries({ labels, annotations })) {
    if (given === undefined) delete kept[field];
    else if (!deepEqual(kept[field], given)) kept[field] = given;
  }
  return { ...value, metadata: kept } as unknown as UnstructuredObject;
}
