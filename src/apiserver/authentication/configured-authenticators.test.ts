import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import { createAnonymousAuthenticator } from './anonymous.ts';
import { AuthenticationChain } from './chain.ts';
import { readAuthenticationConfiguration } from './configuration/authentication-configuration.ts';
import { addConfiguredAuthenticators } from './configured-authenticators.ts';
import { startHttpsServer } from './testing/https-server.ts';

let directory: string;
const ends: (() => unknown)[] = [];
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'access-'));
});
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
  rmSync(directory, { recursive: true, force: true });
});

async function startIssuer(options: { readonly discoveryPath?: string } = {}) {
  let keys = await newKey('one');
  const asked: string[] = [];
  let isDown = false;
  let groups = '';
  const server = await startHttpsServer((request, response) => {
    asked.push(request.url!);
    const json = (document: object) => response.end(JSON.stringify(document));
    if (isDown) response.writeHead(503).end();
    else if (request.url === (options.discoveryPath ?? '/.well-known/openid-configuration'))
      json({ issuer: server.url, jwks_uri: `${server.url}/keys` });
    else if (request.url === '/keys') json({ keys: [keys.jwk] });
    else if (request.url === '/groups' && request.headers.authorization === 'Bearer at') response.end(groups);
    else response.writeHead(404).end();
  });
  ends.push(() => server.close());
  return {
    ...server,
    asked,
    serveGroups(token: string) {
      groups = token;
    },
    goDown(value: boolean) {
      isDown = value;
    },
    async rotate() {
      keys = await newKey('two');
    },
    token(claims: object, more: { audience?: string | string[]; expires?: string; issuer?: string } = {}) {
      return new SignJWT({ ...claims })
        .setProtectedHeader({ alg: 'ES256', kid: keys.jwk.kid! })
        .setIssuer(more.issuer ?? server.url)
        .setAudience(more.audience ?? 'k8ts')
        .setExpirationTime(more.expires ?? '1h')
        .sign(keys.privateKey);
    },
  };
}

async function newKey(kid: string) {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  const jwk: JWK = { ...(await exportJWK(publicKey)), kid, alg: 'ES256', use: 'sig' };
  return { jwk, privateKey };
}

const header = { apiVersion: 'apiserver.config.k8s.io/v1', kind: 'AuthenticationConfiguration' };

async function startChain(configuration: object, now = Date.now) {
  const file = join(directory, 'authentication.yaml');
  const write = (changed: object | string) =>
    writeFileSync(file, typeof changed === 'string' ? changed : JSON.stringify({ ...header, ...changed }));
  write(configuration);
  const warn = vi.fn();
  const error = vi.fn();
  const logger = { ...silentLogger, warn, error };
  const chain = new AuthenticationChain({ logger, authenticators: [createAnonymousAuthenticator()] });
  ends.push(
    await addConfiguredAuthenticators({
      chain,
      file,
      serviceAccountIssuers: ['https://kubernetes.default.svc'],
      audiences: ['api'],
      logger,
      now,
    }),
  );
  const ask = async (bearerToken: string, audiences?: readonly string[]) =>
    await chain.authenticate({ headers: {}, path: '/api', bearerToken, ...(audiences ? { audiences } : {}) });
  const why = () => String((warn.mock.lastCall?.[0] as { err?: Error } | undefined)?.err?.message);
  return { chain, ask, write, why, error };
}

describe('the authenticators of an AuthenticationConfiguration', () => {
  it('take tokens of several issuers, by claims and by expressions', async () => {
    const [plain, fancy] = await Promise.all([startIssuer(), startIssuer({ discoveryPath: '/elsewhere' })]);
    const { ask, why } = await startChain({
      jwt: [
        {
          issuer: { url: plain.url, audiences: ['k8ts'], certificateAuthority: plain.ca },
          claimMappings: {
            username: { claim: 'email', prefix: 'oidc:' },
            groups: { claim: 'roles', prefix: 'oidc:' },
            uid: { claim: 'sub' },
          },
          claimValidationRules: [{ claim: 'hd', requiredValue: 'acme.io' }],
        },
        {
          issuer: {
            url: fancy.url,
            discoveryURL: `${fancy.url}/elsewhere`,
            audiences: ['k8ts', 'other'],
            audienceMatchPolicy: 'MatchAny',
            certificateAuthority: fancy.ca,
          },
          claimMappings: {
            username: { expression: 'claims.username + ":external"' },
            groups: { expression: 'claims.roles.split(",")' },
            uid: { expression: 'claims.sub' },
            extra: [{ key: 'acme.io/tenant', valueExpression: 'has(claims.tenant) ? claims.tenant : ""' }],
          },
          claimValidationRules: [
            { expression: 'claims.exp - claims.nbf <= 86400', message: 'lives longer than a day' },
          ],
          userValidationRules: [
            { expression: '!user.username.startsWith("system:")', message: 'username cannot use system:' },
            { expression: 'user.groups.all(group, group != "admins")', message: 'no admins' },
          ],
        },
      ],
    });

    const claims = { email: 'ann@acme.io', roles: ['dev', 'ops'], sub: '17', hd: 'acme.io' };
    expect(await ask(await plain.token(claims))).toEqual({
      audiences: ['api'],
      user: {
        name: 'oidc:ann@acme.io',
        uid: '17',
        groups: ['oidc:dev', 'oidc:ops', 'system:authenticated'],
      },
    });
    expect((await ask(await plain.token({ ...claims, roles: 'dev' })))?.user.groups).toContain('oidc:dev');
    const refuse = async (token: Promise<string>, reason: string | RegExp) => {
      expect(await ask(await token)).toBeUndefined();
      expect(why()).toMatch(reason);
    };
    await refuse(plain.token({ ...claims, email_verified: false }), 'oidc: email not verified');
    await refuse(plain.token({ ...claims, hd: 'evil' }), 'required claim hd value does not match. Got = evil');
    await refuse(plain.token({ ...claims, sub: undefined }), 'oidc: parse uid claim "sub"');
    await refuse(plain.token(claims, { audience: 'other' }), 'expected audience');
    await refuse(plain.token(claims, { expires: '-1 minute' }), 'token is expired');
    const parts = (await plain.token(claims)).split('.');
    await refuse(Promise.resolve(`${parts[0]}.${parts[1]}.${Buffer.alloc(64).toString('base64url')}`), 'verify token');
    await refuse(fancy.token(claims, { issuer: plain.url }), 'signature verification failed');

    const nbf = Math.floor(Date.now() / 1000);
    const external = { username: 'bob', roles: 'dev,qa', sub: '18', tenant: 'blue', nbf };
    const bob = await fancy.token(external, { audience: ['x', 'other'] });
    expect((await ask(bob))?.user).toEqual({
      name: 'bob:external',
      uid: '18',
      groups: ['dev', 'qa', 'system:authenticated'],
      extra: { 'acme.io/tenant': ['blue'] },
    });
    expect((await ask(bob, ['api', 'x']))?.audiences).toEqual(['api']);
    expect(await ask(bob, ['x'])).toBeUndefined();
    await refuse(fancy.token({ ...external, username: 'system:x' }), 'failed: username cannot use system:');
    await refuse(fancy.token({ ...external, roles: 'admins' }), 'failed: no admins');
    await refuse(fancy.token(external, { expires: '2d' }), 'failed: lives longer than a day');
    await refuse(fancy.token({ ...external, roles: undefined }), 'no such key: roles');
    expect(fancy.asked).toEqual(['/elsewhere', '/keys']);
  });

  it('get groups from where a token says they are, if their own issuer vouches for them', async () => {
    const issuer = await startIssuer();
    const { ask, why } = await startChain({
      jwt: [
        {
          issuer: { url: issuer.url, audiences: ['k8ts'], certificateAuthority: issuer.ca },
          claimMappings: { username: { claim: 'sub', prefix: '' }, groups: { claim: 'roles', prefix: 'g:' } },
        },
      ],
    });
    let asked = 0;
    const groupsOf = async (sources: object, names: object = { roles: 's' }) => {
      const claims = { sub: `ann-${asked++}`, _claim_names: names, _claim_sources: sources };
      return (await ask(await issuer.token(claims)))?.user.groups;
    };
    const source = { s: { endpoint: `${issuer.url}/groups`, access_token: 'at' } };
    issuer.serveGroups(await issuer.token({ roles: ['dev'] }));
    expect(await groupsOf(source)).toEqual(['g:dev', 'system:authenticated']);
    expect(await groupsOf({}, { else: 's' })).toEqual(['system:authenticated']);
    for (const [served, sources, reason] of [
      [await issuer.token({ other: 1 }), source, 'did not contain claim: roles'],
      [await issuer.token({ roles: ['dev'] }, { audience: 'x' }), source, 'verify distributed claim token'],
      [
        `${(await issuer.token({ roles: [] })).slice(0, -86)}${'A'.repeat(86)}`,
        source,
        'signature verification failed',
      ],
      ['', {}, 'contained a source s missing in _claims_sources'],
      ['', { s: { endpoint: `${issuer.url}/none` } }, 'while getting distributed claim "roles"'],
      ['', { s: { endpoint: 'http://127.0.0.1:1/' } }, 'is no https URL'],
    ] as const) {
      issuer.serveGroups(served);
      expect(await groupsOf(sources)).toBeUndefined();
      expect(why()).toContain(reason);
    }
  });

  it('find an issuer when it is there, keep its keys when it is gone, and see new keys', async () => {
    const issuer = await startIssuer();
    issuer.goDown(true);
    let aheadMs = 0;
    const configuration = {
      jwt: [
        {
          issuer: { url: issuer.url, audiences: ['k8ts'], certificateAuthority: issuer.ca },
          claimMappings: { username: { claim: 'sub', prefix: '' } },
        },
      ],
    };
    const { ask, why } = await startChain(configuration, () => Date.now() + aheadMs);
    expect(issuer.asked).toEqual([]);
    const token = await issuer.token({ sub: 'ann' });
    expect(await ask(token)).toBeUndefined();
    expect(why()).toMatch(/not initialized: Get .*the server answered 503/);
    expect(await ask(token)).toBeUndefined();
    expect(issuer.asked).toHaveLength(1);
    issuer.goDown(false);
    await vi.waitFor(async () => expect((await ask(token))?.user.name).toBe('ann'), { timeout: 3000, interval: 100 });
    const asked = issuer.asked.length;
    issuer.goDown(true);
    expect((await ask(await issuer.token({ sub: 'bob' })))?.user.name).toBe('bob');
    expect(issuer.asked).toHaveLength(asked);
    issuer.goDown(false);
    await issuer.rotate();
    const rotated = await issuer.token({ sub: 'eve' });
    expect(await ask(rotated)).toBeUndefined();
    aheadMs = 11_000;
    expect((await ask(rotated))?.user.name).toBe('eve');
  });

  it('follow their file, and keep what they have when it gets wrong', async () => {
    const issuer = await startIssuer();
    const jwt = (prefix: string) => [
      {
        issuer: { url: issuer.url, audiences: ['k8ts'], certificateAuthority: issuer.ca },
        claimMappings: { username: { claim: 'sub', prefix } },
      },
    ];
    const { chain, ask, write, error } = await startChain({
      anonymous: { enabled: true, conditions: [{ path: '/livez' }] },
    });
    const anonymous = (path: string) => chain.authenticate({ headers: {}, path }) !== undefined;
    expect([anonymous('/livez'), anonymous('/readyz'), anonymous('/livez/ping')]).toEqual([true, false, false]);
    const token = await issuer.token({ sub: 'ann' });
    expect(await ask(token)).toBeUndefined();
    write({ jwt: jwt('a:'), anonymous: { enabled: false } });
    await vi.waitFor(async () => expect((await ask(token))?.user.name).toBe('a:ann'), { timeout: 3000 });
    expect(anonymous('/livez')).toBe(false);
    write('{ jwt: [');
    await vi.waitFor(() => expect(error).toHaveBeenCalled(), { timeout: 3000 });
    expect((await ask(token))?.user.name).toBe('a:ann');
    write({ jwt: jwt('b:') });
    await vi.waitFor(async () => expect((await ask(token))?.user.name).toBe('b:ann'), { timeout: 3000 });
    expect(anonymous('/readyz')).toBe(true);
  });

  it('are refused in the words of Kubernetes', () => {
    const refusal = (configuration: object) => {
      try {
        readAuthenticationConfiguration({ ...header, ...configuration }, ['https://own']);
        return '';
      } catch (error) {
        return (error as Error).message;
      }
    };
    const mappings = { username: { claim: 'sub', prefix: '' } };
    const issuer = { url: 'https://a.io', audiences: ['x'] };
    const one = (more: object) => refusal({ jwt: [{ issuer, claimMappings: mappings, ...more }] });
    expect(one({})).toBe('');
    expect(refusal({ apiVersion: 'v7' })).toContain('apiVersion: Unsupported value: "v7"');
    expect(one({ issuer: { ...issuer, url: 'http://a.io' } })).toBe(
      'jwt[0].issuer.url: Invalid value: "http://a.io": URL scheme must be https',
    );
    expect(one({ issuer: { ...issuer, url: 'https://own' } })).toContain(
      'URL must not overlap with disallowed issuers: [https://own]',
    );
    expect(one({ issuer: { ...issuer, audiences: ['a', 'b'] } })).toContain(
      'audienceMatchPolicy must be MatchAny for multiple audiences',
    );
    expect(one({ issuer: { ...issuer, certificateAuthority: 'x' } })).toContain(
      'jwt[0].issuer.certificateAuthority: Invalid value: "<omitted>"',
    );
    expect(one({ claimMappings: { username: { claim: 'sub' } } })).toContain(
      'jwt[0].claimMappings.username.prefix: Required value: prefix is required when claim is set.',
    );
    expect(one({ claimMappings: {} })).toBe(
      'jwt[0].claimMappings.username: Required value: claim or expression is required',
    );
    expect(one({ claimMappings: { username: { expression: 'claims.email' } } })).toContain(
      'claims.email_verified must be used in',
    );
    expect(one({ claimValidationRules: [{ expression: '1 + 1' }] })).toContain('must evaluate to bool');
    expect(one({ claimValidationRules: [{ expression: 'claim.x == 1' }] })).toMatch(
      /claimValidationRules\[0\].expression: .*compilation failed: ERROR: .*undeclared reference to 'claim'/,
    );
    expect(one({ claimMappings: { ...mappings, extra: [{ key: 'a.k8s.io/x', valueExpression: '"y"' }] } })).toContain(
      'k8s.io, kubernetes.io and their subdomains are reserved for Kubernetes use',
    );
    expect(one({ surprise: 1 })).toBe('jwt[0].surprise: Invalid value: "surprise": unknown field');
    expect(refusal({ anonymous: { enabled: false, conditions: [{ path: '/x' }] } })).toContain(
      'enabled should be set to true when conditions are defined',
    );
  });
});
