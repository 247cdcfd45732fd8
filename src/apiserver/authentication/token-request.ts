import type { BoundObjectReference, TokenRequest } from '../../api/types/authentication.v1.gen.ts';
import type { ServiceAccount } from '../../api/types/core.v1.gen.ts';
import { FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { badRequest, conflict, invalid, notFound } from '../../apimachinery/status-error.ts';
import type { IdentityObjects, ObjectGetter } from './object-getter.ts';
import type { ObjectClaim } from './service-account-claims.ts';
import type { TokenIssuer } from './token-issuer.ts';

export interface TokenRequestOptions {
  readonly issuer: TokenIssuer;
  readonly getter: ObjectGetter;
  /** Audiences of a token whose request names none. */
  readonly audiences: readonly string[];
  /** Longest life of a token that a request can get. */
  readonly maxExpirationSeconds?: number;
}

const DEFAULT_EXPIRATION = 3600;
const MIN_EXPIRATION = 600;
/** What the injected token volumes ask for: such a token is kept valid for a year and its use after this time reported. */
const WARN_ONLY_EXPIRATION = 3607;
const EXTENDED_EXPIRATION = 365 * 24 * 3600;

/** POST to `serviceaccounts/NAME/token`: answers the request with its status filled in. Throws StatusError. */
export async function requestToken(
  options: TokenRequestOptions,
  namespace: string,
  name: string,
  request: TokenRequest,
): Promise<TokenRequest> {
  const { issuer, getter, audiences: defaultAudiences } = options;
  const { name: stated, namespace: statedNamespace } = request.metadata ?? {};
  if (statedNamespace && statedNamespace !== namespace)
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request');
  if (stated && stated !== name)
    throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, name, [
      invalidValue(FieldPath.of('metadata', 'name'), stated, 'must match the service account name if specified'),
    ]);
  const account = await find(getter, 'serviceaccounts', name, namespace);
  if (!account) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const { uid } = account.metadata;
  if (request.metadata?.uid && request.metadata.uid !== uid)
    throw conflict(
      { group: 'authentication.k8s.io', resource: 'TokenRequest' },
      name,
      `the UID in the token request (${request.metadata.uid}) does not match the UID of the service account (${uid})`,
    );
  const spec = {
    ...request.spec,
    audiences: request.spec?.audiences?.length ? request.spec.audiences : defaultAudiences,
    expirationSeconds: request.spec?.expirationSeconds ?? DEFAULT_EXPIRATION,
  };
  validateExpiration(spec.expirationSeconds);
  const bound = spec.boundObjectRef ? await bindTo(getter, spec.boundObjectRef, account) : {};
  let expirationSeconds = Math.min(spec.expirationSeconds, options.maxExpirationSeconds ?? Number.POSITIVE_INFINITY);
  let warnAfterSeconds: number | undefined;
  if (
    bound.pod &&
    expirationSeconds === WARN_ONLY_EXPIRATION &&
    spec.audiences.every((audience) => defaultAudiences.includes(audience))
  ) {
    warnAfterSeconds = expirationSeconds;
    expirationSeconds = EXTENDED_EXPIRATION;
  }
  const issued = issuer.issue({
    namespace,
    serviceAccount: claimOf(account),
    audiences: spec.audiences,
    expirationSeconds,
    ...(warnAfterSeconds ? { warnAfterSeconds } : {}),
    ...bound,
  });
  // The holder is told the time it asked for, so that it renews the token in time.
  const reported = warnAfterSeconds
    ? shift(issued.expirationTimestamp, warnAfterSeconds - expirationSeconds)
    : issued.expirationTimestamp;
  return {
    kind: 'TokenRequest',
    apiVersion: 'authentication.k8s.io/v1',
    metadata: {
      ...request.metadata,
      name,
      namespace,
      ...(uid ? { uid } : {}),
      creationTimestamp: shift(issued.expirationTimestamp, -expirationSeconds),
    },
    spec: { ...spec, expirationSeconds: warnAfterSeconds ?? expirationSeconds },
    status: { token: issued.token, expirationTimestamp: reported },
  };
}

function validateExpiration(seconds: number): void {
  const path = FieldPath.of('spec', 'expirationSeconds');
  const problems = [];
  if (seconds < MIN_EXPIRATION)
    problems.push(invalidValue(path, seconds, 'may not specify a duration less than 10 minutes'));
  if (seconds > 2 ** 32)
    problems.push(invalidValue(path, seconds, 'may not specify a duration larger than 2^32 seconds'));
  if (problems.length) throw invalid({ group: 'authentication.k8s.io', kind: 'TokenRequest' }, '', problems);
}

async function bindTo(
  getter: ObjectGetter,
  reference: BoundObjectReference,
  account: ServiceAccount,
): Promise<{ pod?: ObjectClaim; secret?: ObjectClaim; node?: ObjectClaim }> {
  const namespace = account.metadata.namespace!;
  const name = reference.name ?? '';
  if (reference.apiVersion !== undefined && reference.apiVersion !== 'v1') throw unsupported(reference);
  switch (reference.kind) {
    case 'Pod': {
      const pod = await find(getter, 'pods', name, namespace);
      if (!pod) throw notFound({ group: '', resource: 'pods' }, name);
      const podAccount = pod.spec.serviceAccountName || 'default';
      if (podAccount !== account.metadata.name) {
        throw badRequest(
          `cannot bind token for serviceaccount ${quote(account.metadata.name)} to pod running with different serviceaccount name.`,
        );
      }
      checkUID(reference, pod.metadata.uid);
      // A pod on a node carries the node's identity along; the node need not be in the cache yet.
      const node = pod.spec.nodeName ? getter.get('nodes', pod.spec.nodeName) : undefined;
      return {
        pod: claimOf(pod),
        ...(pod.spec.nodeName ? { node: { name: pod.spec.nodeName, uid: node?.metadata.uid ?? '' } } : {}),
      };
    }
    case 'Secret': {
      const secret = await find(getter, 'secrets', name, namespace);
      if (!secret) throw notFound({ group: '', resource: 'secrets' }, name);
      checkUID(reference, secret.metadata.uid);
      return { secret: claimOf(secret) };
    }
    case 'Node': {
      const node = await find(getter, 'nodes', name);
      if (!node) throw notFound({ group: '', resource: 'nodes' }, name);
      checkUID(reference, node.metadata.uid);
      return { node: claimOf(node) };
    }
    default:
      throw unsupported(reference);
  }
}

async function find<K extends keyof IdentityObjects>(
  getter: ObjectGetter,
  resource: K,
  name: string,
  namespace?: string,
): Promise<IdentityObjects[K] | undefined> {
  return getter.get(resource, name, namespace) ?? (await getter.fetch?.(resource, name, namespace));
}

function checkUID(reference: BoundObjectReference, actual: string | undefined): void {
  if (reference.uid && reference.uid !== actual) {
    throw conflict(
      // Upstream names the kind here.
      { group: '', resource: reference.kind ?? '' },
      reference.name ?? '',
      `the UID in the bound object reference (${reference.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  }
}

const unsupported = (reference: BoundObjectReference) => {
  const version = reference.apiVersion ?? '';
  const text =
    version.includes('/') || version === ''
      ? `${version}, Kind=${reference.kind ?? ''}`
      : `/${version}, Kind=${reference.kind ?? ''}`;
  return badRequest(`cannot bind token to object of type ${text}`);
};
const claimOf = (object: { readonly metadata: { readonly name: string; readonly uid?: string } }): ObjectClaim => ({
  name: object.metadata.name,
  uid: object.metadata.uid ?? '',
});
const quote = (text: string) => JSON.stringify(text);
const shift = (timestamp: string, seconds: number) =>
  `${new Date(Date.parse(timestamp) + seconds * 1000).toISOString().slice(0, 19)}Z`;
