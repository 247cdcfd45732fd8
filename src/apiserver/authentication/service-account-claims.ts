/** What ServiceAccount tokens say. Times are seconds since the epoch. */
export interface ServiceAccountClaims {
  readonly iss: string;
  readonly sub: string;
  readonly aud: readonly string[];
  readonly iat: number;
  readonly nbf: number;
  readonly exp: number;
  readonly jti: string;
  readonly 'kubernetes.io': BoundClaims;
}

export interface BoundClaims {
  readonly namespace: string;
  readonly serviceaccount: ObjectClaim;
  readonly pod?: ObjectClaim;
  readonly secret?: ObjectClaim;
  readonly node?: ObjectClaim;
  /** From here on use is reported as stale; only tokens whose life was extended have it. */
  readonly warnafter?: number;
}

export interface ObjectClaim {
  readonly name: string;
  readonly uid: string;
}

export const DEFAULT_ISSUER = 'https://kubernetes.default.svc.cluster.local';

export const CREDENTIAL_ID = 'authentication.kubernetes.io/credential-id';
export const POD_NAME = 'authentication.kubernetes.io/pod-name';
export const POD_UID = 'authentication.kubernetes.io/pod-uid';
export const NODE_NAME = 'authentication.kubernetes.io/node-name';
export const NODE_UID = 'authentication.kubernetes.io/node-uid';

export const serviceAccountUsername = (namespace: string, name: string) => `system:serviceaccount:${namespace}:${name}`;
export const serviceAccountGroups = (namespace: string): readonly string[] => [
  'system:serviceaccounts',
  `system:serviceaccounts:${namespace}`,
];

/** The claims of a verified token, or undefined when they are not of a ServiceAccount token's shape. */
export function readClaims(claims: { readonly [claim: string]: unknown }): ServiceAccountClaims | undefined {
  const aud = typeof claims.aud === 'string' ? [claims.aud] : claims.aud;
  const bound = claims['kubernetes.io'] as Partial<Record<keyof BoundClaims, unknown>> | undefined;
  if (typeof claims.sub !== 'string' || typeof claims.iss !== 'string' || !isStrings(aud)) return undefined;
  if (typeof claims.exp !== 'number' || typeof bound !== 'object' || bound === null) return undefined;
  if (typeof bound.namespace !== 'string' || !isObjectClaim(bound.serviceaccount)) return undefined;
  for (const reference of [bound.pod, bound.secret, bound.node])
    if (reference !== undefined && !isObjectClaim(reference)) return undefined;
  return {
    iss: claims.iss,
    sub: claims.sub,
    aud,
    iat: typeof claims.iat === 'number' ? claims.iat : 0,
    nbf: typeof claims.nbf === 'number' ? claims.nbf : 0,
    exp: claims.exp,
    jti: typeof claims.jti === 'string' ? claims.jti : '',
    'kubernetes.io': bound as BoundClaims,
  };
}

function isStrings(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string');
}

function isObjectClaim(value: unknown): value is ObjectClaim {
  const claim = value as Partial<ObjectClaim> | null;
  return typeof claim === 'object' && claim !== null && typeof claim.name === 'string' && typeof claim.uid === 'string';
}
