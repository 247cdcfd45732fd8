import { randomUUID } from 'node:crypto';
import type { Status, UnstructuredObject } from '../../../apimachinery/meta.ts';
import { isDictionary } from '../../../apimachinery/schema-walk.ts';
import { StatusError } from '../../../apimachinery/status-error.ts';
import type { AdmissionAttributes } from '../../../sdk/admission.ts';
import type { RequestMatch } from '../matching/request-match.ts';

export interface ReviewObjects {
  readonly object: UnstructuredObject | undefined;
  readonly oldObject: UnstructuredObject | undefined;
}

export interface ReviewResponse {
  readonly allowed: boolean;
  readonly status?: Partial<Status>;
  readonly patch?: readonly unknown[];
  readonly warnings: readonly string[];
  readonly auditAnnotations: Readonly<Record<string, string>>;
}

export function reviewRequest(
  attributes: AdmissionAttributes,
  match: RequestMatch,
  { object, oldObject }: ReviewObjects,
  versions: readonly string[],
): { readonly uid: string; readonly version: string; readonly body: object } {
  const version = versions.find((candidate) => candidate === 'v1' || candidate === 'v1beta1') ?? 'v1';
  const uid = randomUUID();
  const { user, subresource } = attributes;
  return {
    uid,
    version,
    body: {
      kind: 'AdmissionReview',
      apiVersion: `admission.k8s.io/${version}`,
      request: {
        uid,
        kind: match.kind,
        resource: match.resource,
        ...(subresource ? { subResource: subresource } : {}),
        requestKind: attributes.kind,
        requestResource: attributes.resource,
        ...(subresource ? { requestSubResource: subresource } : {}),
        ...(attributes.name ? { name: attributes.name } : {}),
        ...(attributes.namespace ? { namespace: attributes.namespace } : {}),
        operation: attributes.operation,
        userInfo: {
          username: user.name,
          ...(user.uid ? { uid: user.uid } : {}),
          ...(user.groups?.length ? { groups: user.groups } : {}),
          ...(user.extra && Object.keys(user.extra).length ? { extra: user.extra } : {}),
        },
        object: object ?? null,
        oldObject: oldObject ?? null,
        dryRun: attributes.dryRun,
        options: Object.keys(attributes.options).length ? attributes.options : null,
      },
    },
  };
}

/** Throws an Error saying what is wrong with the answer. */
export function readReview(answer: unknown, uid: string, version: string): ReviewResponse {
  const review = (isDictionary(answer) ? answer : {}) as {
    kind?: unknown;
    apiVersion?: unknown;
    response?: Record<string, unknown>;
  };
  const expected = `admission.k8s.io/${version}`;
  if (review.kind !== 'AdmissionReview' || review.apiVersion !== expected)
    throw new Error(
      `expected webhook response of ${expected}, Kind=AdmissionReview, got ${String(review.apiVersion ?? '')}, Kind=${String(review.kind ?? '')}`,
    );
  const { response } = review;
  if (!isDictionary(response)) throw new Error('webhook response was absent');
  if (version === 'v1' && response.uid !== uid)
    throw new Error(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
  const patch = response.patch ? readPatch(response.patch, response.patchType, version) : undefined;
  return {
    allowed: response.allowed === true,
    ...(isDictionary(response.status) ? { status: response.status as Partial<Status> } : {}),
    ...(patch ? { patch } : {}),
    warnings: Array.isArray(response.warnings) ? response.warnings.map(String) : [],
    auditAnnotations: isDictionary(response.auditAnnotations)
      ? (response.auditAnnotations as Record<string, string>)
      : {},
  };
}

function readPatch(patch: unknown, type: unknown, version: string): readonly unknown[] {
  if (version === 'v1' && !type) throw new Error('webhook returned response.patch but not response.patchType');
  if (type && type !== 'JSONPatch') throw new Error(`unknown patch type ${JSON.stringify(type)}`);
  if (typeof patch !== 'string') throw new Error('illegal base64 data');
  const decoded: unknown = JSON.parse(Buffer.from(patch, 'base64').toString('utf8'));
  if (!Array.isArray(decoded)) throw new Error('the patch is not a list of operations');
  return decoded;
}

/** A webhook's refusal, as the client sees it. */
export function denial(name: string, status: Partial<Status> | undefined): StatusError {
  const denied = `admission webhook ${JSON.stringify(name)} denied the request`;
  const why = status?.message || status?.reason;
  return new StatusError({
    ...status,
    code: status?.code !== undefined && status.code >= 400 ? status.code : 400,
    message: why ? `${denied}: ${why}` : `${denied} without explanation`,
  } as ConstructorParameters<typeof StatusError>[0]);
}
