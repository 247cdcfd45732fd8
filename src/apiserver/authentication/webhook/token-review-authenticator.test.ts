import { afterEach, expect, it } from 'vitest';
import { bodyOf, startHttpsServer } from '../testing/https-server.ts';
import { ReviewClient } from './review-client.ts';
import { createTokenReviewAuthenticator } from './token-review-authenticator.ts';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

interface Review {
  readonly apiVersion: string;
  readonly spec: { readonly token: string; readonly audiences: readonly string[] };
}

it('asks a webhook whose token it is, keeps the answer for a while, and tries again when the server fails', async () => {
  const asked: Review[] = [];
  const credentials = new Set<string | undefined>();
  let failures = 2;
  const server = await startHttpsServer(async (request, response) => {
    const review = await bodyOf<Review>(request);
    credentials.add(request.headers.authorization);
    if (review.spec.token === 'flaky' && failures-- > 0) return void response.writeHead(500).end('busy');
    asked.push(review);
    const known = ['good', 'flaky', 'audience'].includes(review.spec.token);
    const status = {
      authenticated: known,
      ...(known ? { user: { username: 'ann', uid: '1', groups: ['dev'], extra: { k: ['v'] } } } : { error: 'unknown' }),
      ...(review.spec.token === 'audience' ? { audiences: ['x'] } : {}),
    };
    response.end(JSON.stringify({ ...review, status }));
  });
  ends.push(() => server.close());
  const connection = { server: `${server.url}/tokens`, ca: server.ca, token: 'secret' };
  const client = new ReviewClient(connection, { retryMs: 1 });
  ends.push(() => client.close());
  let now = 0;
  const authenticator = createTokenReviewAuthenticator({ client, audiences: ['api'], now: () => now });
  const ask = (bearerToken: string, audiences?: readonly string[]) =>
    authenticator.authenticate({ headers: {}, bearerToken, ...(audiences ? { audiences } : {}) });

  const [first, same] = await Promise.all([ask('good'), ask('good')]);
  expect(first).toEqual({ user: { name: 'ann', uid: '1', groups: ['dev'], extra: { k: ['v'] } }, audiences: ['api'] });
  expect(same).toBe(first);
  expect(asked).toHaveLength(1);
  expect(asked[0]).toMatchObject({
    apiVersion: 'authentication.k8s.io/v1',
    spec: { token: 'good', audiences: ['api'] },
  });
  expect(ask('good')).toBe(first);
  now = 121_000;
  await ask('good');
  expect(asked).toHaveLength(2);

  await expect(ask('bad')).rejects.toThrow('unknown');
  expect((await ask('flaky'))?.user.name).toBe('ann');
  expect(await ask('audience')).toBeUndefined();
  expect((await ask('audience', ['x', 'y']))?.audiences).toEqual(['x']);
  expect([...credentials]).toEqual(['Bearer secret']);

  const stranger = new ReviewClient({ server: server.url });
  ends.push(() => stranger.close());
  await expect(
    createTokenReviewAuthenticator({ client: stranger, audiences: [] }).authenticate({ headers: {}, bearerToken: 'x' }),
  ).rejects.toThrow(/certificate/);
});
