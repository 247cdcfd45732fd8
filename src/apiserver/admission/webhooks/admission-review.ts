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
export function readReview(answer: unknown, uid: string, version: string, mutating: boolean): ReviewResponse {
  const review = (isDictionary(answer) ? answer : {}) as {
    kind?: unknown;
    apiVersion?: unknown;
    response?: Record<string, unknown>;
  };
  const { response } = review;
  if (!isDictionary(response)) throw invalidResponse('webhook response was absent');
  if (version === 'v1') {
    if (response.uid !== uid)
      throw invalidResponse(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response.uid ?? '')}`);
    if (review.kind !== 'AdmissionReview' || review.apiVersion !== 'admission.k8s.io/v1')
      throw invalidResponse(
        `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${String(review.apiVersion ?? '')}, Kind=${String(review.kind ?? '')}`,
      );
    checkPatchType(response, mutating);
  }
  const allowed = response.allowed === true;
  const patch = mutating && allowed && response.patch ? readPatch(response.patch, response.patchType) : undefined;
  return {
    allowed,
    ...(isDictionary(response.status) ? { status: response.status as Partial<Status> } : {}),
    ...(patch ? { patch } : {}),
    warnings: Array.isArray(response.warnings) ? response.warnings.map(String) : [],
    auditAnnotations: isDictionary(response.auditAnnotations)
      ? (response.auditAnnotations as Record<string, string>)
      : {},
  };
}

const invalidResponse = (why: string) => new Error(`received invalid webhook response: ${why}`);

function checkPatchType({ patch, patchType }: Readonly<Record<string, unknown>>, mutating: boolean): void {
  if (!mutating) {
    if (patch) throw invalidResponse('validating webhook may not return response.patch');
    if (patchType !== undefined && patchType !== null)
      throw invalidResponse('validating webhook may not return response.patchType');
    return;
  }
  const typed = patchType !== undefined && patchType !== null;
  if (patch && !typed) throw invalidResponse('webhook returned response.patch but not response.patchType');
  if (!patch && typed) throw invalidResponse('webhook returned response.patchType but not response.patch');
  if (patch && patchType === '') throw invalidResponse('webhook returned invalid response.patchType of ""');
}

function readPatch(patch: unknown, type: unknown): readonly unknown[] {
  if (type && type !== 'JSONPatch') throw new Error(`unsupported patch type ${JSON.stringify(type)}`);
  const undecodable = (why: string) => new Error(`received undecodable patch in webhook response: ${why}`);
  if (typeof patch !== 'string') throw undecodable('illegal base64 data');
  let decoded: unknown;
  try {
    decoded = JSON.parse(Buffer.from(patch, 'base64').toString('utf8'));
  } catch (error) {
    throw undecodable((error as Error).message);
  }
  if (!Array.isArray(decoded)) throw undecodable('json: cannot unmarshal object into Go value of type jsonpatch.Patch');
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
