import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';
import { describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import { createAnonymousAuthenticator } from './anonymous.ts';
import { audienceAgnostic } from './audience-agnostic.ts';
import { createBootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { AuthenticationChain } from './chain.ts';
import { createRequestHeaderAuthenticator } from './request-header.ts';
import { FakeObjects } from './testing/fake-objects.ts';
import { createX509Authenticator } from './x509.ts';

x509.cryptoProvider.set(webcrypto as never);
const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const notAfter = new Date('2036-01-01');

async function makeCA(name: string) {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    keys: keys as never,
    notAfter,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true)],
  });
  const issue = async (subject: x509.JsonName, options: { until?: Date; usage?: string } = {}) => {
    const leaf = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
    const issued = await x509.X509CertificateGenerator.create({
      subject,
      issuer: certificate.subject,
      publicKey: leaf.publicKey as never,
      signingKey: keys.privateKey as never,
      signingAlgorithm: algorithm,
      notBefore: new Date('2020-01-01'),
      notAfter: options.until ?? notAfter,
      extensions: [new x509.ExtendedKeyUsageExtension([options.usage ?? '1.3.6.1.5.5.7.3.2'])],
    });
    return new Uint8Array(issued.rawData);
  };
  return { pem: certificate.toString('pem'), issue };
}

describe('the x509 authenticator', () => {
  it('reads user and groups from a certificate of the client CA, and nothing from others', async () => {
    const [ca, other] = await Promise.all([makeCA('clients'), makeCA('others')]);
    const authenticator = createX509Authenticator({ clientCAs: () => [ca.pem] });
    const subject: x509.JsonName = [{ O: ['dev'] }, { O: ['a+b,c'] }, { CN: ['jane'] }];
    const ask = (clientCertificate: Uint8Array) => authenticator.authenticate({ headers: {}, clientCertificate });
    const jane = await ca.issue(subject);
    const result = await ask(jane);
    expect(result!.user).toMatchObject({ name: 'jane', groups: ['dev', 'a+b,c'] });
    expect(result!.user.extra!['authentication.kubernetes.io/credential-id']![0]).toMatch(/^X509SHA256=[0-9a-f]{64}$/);
    expect(await ask(Uint8Array.from(jane))).toBe(result);
    expect(ask(await other.issue(subject))).toBeUndefined();
    expect(ask(await ca.issue(subject, { until: new Date('2021-01-01') }))).toBeUndefined();
    expect(ask(await ca.issue(subject, { usage: '1.3.6.1.5.5.7.3.1' }))).toBeUndefined();
    expect(ask(await ca.issue([{ O: ['dev'] }]))).toBeUndefined();
    expect(authenticator.authenticate({ headers: {}, clientCertificate: jane, bearerToken: 'x' })).toBeUndefined();
  });
});

describe('the request header authenticator', () => {
  it('believes a front proxy by its certificate', async () => {
    const [ca, clients] = await Promise.all([makeCA('front-proxy'), makeCA('clients')]);
    const authenticator = createRequestHeaderAuthenticator({
      proxyCAs: () => [ca.pem],
      allowedNames: ['front-proxy-client'],
    });
    const headers = { 'x-remote-user': 'bob', 'x-remote-group': ['a', 'b'], 'x-remote-extra-acme.com%2fproject': 'p1' };
    const ask = async (clientCertificate: Uint8Array) =>
      (await authenticator.authenticate({ headers, clientCertificate }))?.user;
    const proxy = [{ CN: ['front-proxy-client'] }];
    expect(await ask(await ca.issue(proxy))).toEqual({
      name: 'bob',
      groups: ['a', 'b'],
      extra: { 'acme.com/project': ['p1'] },
    });
    expect(await ask(await clients.issue(proxy))).toBeUndefined();
    expect(await ask(await ca.issue([{ CN: ['someone'] }]))).toBeUndefined();
    expect(authenticator.authenticate({ headers })).toBeUndefined();
  });
});

describe('bootstrap tokens', () => {
  it('introduce a node until they expire', async () => {
    const encode = (data: Record<string, string>) =>
      Object.fromEntries(Object.entries(data).map(([name, value]) => [name, Buffer.from(value).toString('base64')]));
    const data = {
      'token-id': 'abcdef',
      'token-secret': '0123456789abcdef',
      'usage-bootstrap-authentication': 'true',
      'auth-extra-groups': 'system:bootstrappers:workers',
      expiration: '2026-02-01T00:00:00Z',
    };
    const objects = new FakeObjects();
    const put = (change: Partial<typeof data>) =>
      objects.put('secrets', 'bootstrap-token-abcdef', 'kube-system', {
        type: 'bootstrap.kubernetes.io/token',
        data: encode({ ...data, ...change }),
      });
    let now = Date.parse('2026-01-01');
    const authenticator = createBootstrapTokenAuthenticator({ getter: objects, logger: silentLogger, now: () => now });
    const ask = async (bearerToken: string) => (await authenticator.authenticate({ headers: {}, bearerToken }))?.user;
    put({});
    expect(await ask('abcdef.0123456789abcdef')).toEqual({
      name: 'system:bootstrap:abcdef',
      groups: ['system:bootstrappers', 'system:bootstrappers:workers'],
    });
    const reviewed = (audiences: string[]) =>
      audienceAgnostic(authenticator, ['api', 'api2']).authenticate({
        headers: {},
        bearerToken: 'abcdef.0123456789abcdef',
        audiences,
      });
    expect(await reviewed(['api', 'vault'])).toMatchObject({ audiences: ['api'] });
    expect(await reviewed(['vault'])).toBeUndefined();
    expect(await ask('abcdef.0123456789abcdee')).toBeUndefined();
    expect(await ask('ghijkl.0123456789abcdef')).toBeUndefined();
    put({ 'auth-extra-groups': 'system:masters' });
    expect(await ask('abcdef.0123456789abcdef')).toBeUndefined();
    put({});
    now = Date.parse('2026-03-01');
    expect(await ask('abcdef.0123456789abcdef')).toBeUndefined();
  });
});

describe('the authentication chain', () => {
  const named = (name: string, authenticate: Authenticator['authenticate']): Authenticator => ({ name, authenticate });
  const known = { user: { name: 'ann', groups: ['g'] } };

  it('passes over authenticators that fail, hang or answer nonsense', async () => {
    const chain = new AuthenticationChain({
      logger: silentLogger,
      deadlineMs: 20,
      authenticators: [
        named('throws', () => {
          throw new Error('no');
        }),
        named('rejects', () => Promise.reject(new Error('no'))),
        named('hangs', () => new Promise(() => {})),
        named('nonsense', () => ({ user: { name: '' } }) as never),
        named('knows', async () => known),
      ],
    });
    expect(await chain.authenticate({ headers: {} })).toEqual({
      user: { name: 'ann', groups: ['g', 'system:authenticated'] },
    });
  });

  it('answers at once when it can, and remembers the completed user', () => {
    const chain = new AuthenticationChain({ logger: silentLogger, authenticators: [named('knows', () => known)] });
    const result = chain.authenticate({ headers: {} });
    expect(result).toMatchObject({ user: { name: 'ann' } });
    expect(chain.authenticate({ headers: {} })).toBe(result);
  });

  it('lets anonymous see health and version only, and never a refused credential', () => {
    const chain = new AuthenticationChain({ logger: silentLogger, authenticators: [createAnonymousAuthenticator()] });
    const name = (request: object) =>
      (chain.authenticate({ headers: {}, ...request }) as { user: { name: string } } | undefined)?.user.name;
    expect(name({ path: '/readyz' })).toBe('system:anonymous');
    expect(name({ path: '/livez/ping' })).toBe('system:anonymous');
    expect(name({ path: '/version' })).toBe('system:anonymous');
    expect(name({ path: '/versions' })).toBeUndefined();
    expect(name({ path: '/api/v1/pods' })).toBeUndefined();
    expect(name({ path: '/readyz', bearerToken: 'wrong' })).toBeUndefined();
  });

  it('takes authenticators in and out while it runs', () => {
    const chain = new AuthenticationChain({ logger: silentLogger, authenticators: [createAnonymousAuthenticator()] });
    const remove = chain.register(named('plugin', (request) => (request.bearerToken === 'value1' ? known : undefined)));
    expect(chain.authenticate({ headers: {}, bearerToken: 'value1' })).toBeDefined();
    remove();
    expect(chain.authenticate({ headers: {}, bearerToken: 'value1' })).toBeUndefined();
  });
});
