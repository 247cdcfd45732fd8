import { createPublicKey, generateKeyPairSync, verify } from 'node:crypto';
import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import { openidConfiguration } from './issuer-discovery.ts';
import { createLegacyTokenAuthenticator } from './legacy-token.ts';
import { createServiceAccountAuthenticator } from './service-account.ts';
import { FakeObjects, key } from './testing/fake-objects.ts';
import { TokenIssuer } from './token-issuer.ts';
import { parseToken, TokenKeys } from './token-keys.ts';
import { requestToken } from './token-request.ts';

const AUDIENCE = 'https://kubernetes.default.svc.cluster.local';
const privateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

let now: number;
let objects: FakeObjects;
let keys: TokenKeys;
let issuer: TokenIssuer;
let authenticator: Authenticator;

beforeEach(() => {
  now = Date.parse('2026-01-01T00:00:00Z');
  objects = new FakeObjects()
    .put('serviceaccounts', 'web', 'shop', {})
    .put('nodes', 'n1', undefined, {})
    .put('pods', 'web-1', 'shop', { spec: { serviceAccountName: 'web', nodeName: 'n1', containers: [] } });
  keys = new TokenKeys({ signingKey: privateKey });
  issuer = new TokenIssuer({ keys, now: () => now });
  authenticator = createServiceAccountAuthenticator({
    keys,
    issuers: [AUDIENCE],
    audiences: [AUDIENCE],
    getter: objects,
    logger: silentLogger,
    now: () => now,
  });
});

const request = (spec: object = {}, name = 'web') =>
  requestToken({ issuer, getter: objects, audiences: [AUDIENCE] }, 'shop', name, {
    apiVersion: 'authentication.k8s.io/v1',
    kind: 'TokenRequest',
    metadata: { name: '' },
    spec,
  } as never);

const bindToPod = { boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', uid: 'uid-of-web-1' } };

describe('ServiceAccount tokens', () => {
  it('name the account, its groups and what they are bound to', async () => {
    const { status } = await request(bindToPod);
    const result = await authenticator.authenticate({ headers: {}, bearerToken: status!.token! });
    expect(result!.audiences).toEqual([AUDIENCE]);
    expect(result!.user).toMatchObject({
      name: 'system:serviceaccount:shop:web',
      uid: 'uid-of-web',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:shop'],
    });
    expect(result!.user.extra).toMatchObject({
      'authentication.kubernetes.io/pod-name': ['web-1'],
      'authentication.kubernetes.io/pod-uid': ['uid-of-web-1'],
      'authentication.kubernetes.io/node-name': ['n1'],
      'authentication.kubernetes.io/node-uid': ['uid-of-n1'],
    });
    expect(result!.user.extra!['authentication.kubernetes.io/credential-id']![0]).toMatch(/^JTI=[0-9a-f-]{36}$/);
  });

  it('expire, with a minute for clocks that differ', async () => {
    const token = (await request({ expirationSeconds: 600 })).status!.token!;
    const ask = () => authenticator.authenticate({ headers: {}, bearerToken: token });
    now += 630_000;
    expect(ask()).toBeDefined();
    now += 60_000;
    expect(ask()).toBeUndefined();
  });

  it('end with the account, the pod, and their recreation', async () => {
    const token = (await request(bindToPod)).status!.token!;
    const ask = () => authenticator.authenticate({ headers: {}, bearerToken: token });
    expect(await ask()).toBeDefined();
    const pod = objects.get('pods', 'web-1', 'shop')!;
    objects.put('pods', 'web-1', 'shop', {
      ...pod,
      metadata: { ...pod.metadata, deletionTimestamp: new Date(now).toISOString() },
    });
    expect(await ask()).toBeDefined();
    now += 61_000;
    expect(await ask()).toBeUndefined();
    objects.put('pods', 'web-1', 'shop', { ...pod, metadata: { ...pod.metadata, uid: 'another' } });
    expect(await ask()).toBeUndefined();
    objects.put('pods', 'web-1', 'shop', pod);
    expect(await ask()).toBeDefined();
    objects.objects.delete(key('serviceaccounts', 'web', 'shop'));
    expect(await ask()).toBeUndefined();
  });

  it('are accepted when the cache lags behind the store', async () => {
    const token = (await request(bindToPod)).status!.token!;
    objects.late.set(key('pods', 'web-1', 'shop'), objects.get('pods', 'web-1', 'shop'));
    objects.objects.delete(key('pods', 'web-1', 'shop'));
    expect(await authenticator.authenticate({ headers: {}, bearerToken: token })).toBeDefined();
  });

  it('of other audiences, other keys, other algorithms and broken ones are nobody', async () => {
    const vault = (await request({ audiences: ['vault'] })).status!.token!;
    const ask = (bearerToken: string, audiences?: string[]) =>
      authenticator.authenticate({ headers: {}, bearerToken, ...(audiences ? { audiences } : {}) });
    expect(ask(vault)).toBeUndefined();
    expect((await ask(vault, ['vault', 'x']))!.audiences).toEqual(['vault']);
    const foreign = new TokenIssuer({
      keys: new TokenKeys({ signingKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey }),
      now: () => now,
    });
    const forged = foreign.issue({
      namespace: 'shop',
      serviceAccount: { name: 'web', uid: 'uid-of-web' },
      audiences: [AUDIENCE],
      expirationSeconds: 600,
    }).token;
    expect(ask(forged)).toBeUndefined();
    const [, claims] = vault.split('.');
    const none = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${claims}.`;
    for (const bad of [none, `${vault}x`, 'x', '..', `${vault.slice(0, -4)}AAAA`])
      expect(ask(bad, ['vault'])).toBeUndefined();
  });

  it('of the injected volume live a year and tell their holder an hour', async () => {
    const response = await request({ ...bindToPod, expirationSeconds: 3607 });
    expect(response.spec.expirationSeconds).toBe(3607);
    expect(Date.parse(response.status!.expirationTimestamp!)).toBe(now + 3607_000);
    const claims = parseToken(response.status!.token!)!.claims as {
      exp: number;
      iat: number;
      'kubernetes.io': { warnafter: number };
    };
    expect(claims.exp - claims.iat).toBe(31_536_000);
    expect(claims['kubernetes.io'].warnafter - claims.iat).toBe(3607);
  });
});

describe('TokenRequest', () => {
  it('refuses what it cannot bind, in the words of Kubernetes', async () => {
    await expect(request({}, 'none')).rejects.toThrow('serviceaccounts "none" not found');
    await expect(request({ expirationSeconds: 10 })).rejects.toThrow(
      'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 10: may not specify a duration less than 10 minutes',
    );
    await expect(
      request({ boundObjectRef: { apiVersion: 'v1', kind: 'Pod', name: 'web-1', uid: 'old' } }),
    ).rejects.toThrow(
      'Operation cannot be fulfilled on Pod "web-1": the UID in the bound object reference (old) does not match the UID in record.',
    );
    await expect(request({ boundObjectRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'x' } })).rejects.toThrow(
      'cannot bind token to object of type apps/v1, Kind=Deployment',
    );
    objects.put('serviceaccounts', 'other', 'shop', {});
    await expect(request(bindToPod, 'other')).rejects.toThrow(
      'cannot bind token for serviceaccount "other" to pod running with different serviceaccount name.',
    );
  });
});

describe('discovery of the issuer', () => {
  it('publishes a key that verifies tokens', async () => {
    const { token } = (await request()).status!;
    const jwk = keys.jwks().keys[0] as { kid: string; alg: string };
    const parsed = parseToken(token!)!;
    expect(parsed.header).toEqual({ alg: 'ES256', kid: jwk.kid });
    const publicKey = createPublicKey({ key: jwk as never, format: 'jwk' });
    expect(
      verify(
        'sha256',
        Buffer.from(parsed.signingInput),
        { key: publicKey, dsaEncoding: 'ieee-p1363' },
        parsed.signature,
      ),
    ).toBe(true);
    expect(openidConfiguration({ issuer: AUDIENCE, jwksURI: 'https://x/openid/v1/jwks', keys })).toMatchObject({
      id_token_signing_alg_values_supported: ['ES256'],
    });
  });
});

describe('legacy tokens', () => {
  it('live as long as their Secret holds them, which notes the day', async () => {
    const noted: object[] = [];
    const token = issuer.issueLegacy({
      namespace: 'shop',
      serviceAccount: { name: 'web', uid: 'uid-of-web' },
      secretName: 'web-token',
    });
    const legacy = createLegacyTokenAuthenticator({
      keys,
      audiences: [AUDIENCE],
      getter: objects,
      logger: silentLogger,
      now: () => Date.parse('2026-03-04T23:00:00Z'),
      noteUse: async (secret, day) => void noted.push({ ...secret, day }),
    });
    const ask = () => legacy.authenticate({ headers: {}, bearerToken: token });
    expect(await ask()).toBeUndefined();
    objects.put('secrets', 'web-token', 'shop', { data: { token: Buffer.from(token).toString('base64') } });
    expect((await ask())!.user.name).toBe('system:serviceaccount:shop:web');
    await ask();
    expect(noted).toMatchObject([{ day: '2026-03-04' }]);
    expect(authenticator.authenticate({ headers: {}, bearerToken: token })).toBeUndefined();
    objects.put('secrets', 'web-token', 'shop', { data: { token: Buffer.from(`${token}x`).toString('base64') } });
    expect(await ask()).toBeUndefined();
  });
});
