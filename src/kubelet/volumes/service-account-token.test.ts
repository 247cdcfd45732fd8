import { expect, it } from 'vitest';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Client } from '../../client/client.ts';
import { createTokenSource } from './service-account-token.ts';

it('asks for a token bound to the pod, and again at 80 % of its life; keeps an old one while the API server is away', async () => {
  let now = 0;
  let down = false;
  const requests: { spec: { boundObjectRef?: object; audiences?: string[] } }[] = [];
  const createSubresource = async (_name: object, _subresource: string, request: (typeof requests)[number]) => {
    if (down) throw new Error('connection refused');
    requests.push(request);
    return {
      status: { token: `token-${requests.length}`, expirationTimestamp: new Date(now + 3_600_000).toISOString() },
    };
  };
  const client = { for: () => ({ createSubresource }) } as unknown as Client;
  const tokens = createTokenSource(client, () => now);
  const pod: Pod = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'p', namespace: 'd', uid: 'u' },
    spec: { containers: [], serviceAccountName: 'sa' },
  };
  const token = () => tokens.token(pod, 'aud', 3600);
  expect(await token()).toBe('token-1');
  expect(requests[0]?.spec).toMatchObject({
    audiences: ['aud'],
    boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name: 'p', uid: 'u' },
  });
  now = 47 * 60_000;
  expect(await token()).toBe('token-1');
  now = 49 * 60_000;
  down = true;
  expect(await token()).toBe('token-1');
  down = false;
  expect(await token()).toBe('token-2');
  down = true;
  now += 2 * 3_600_000;
  await expect(token()).rejects.toThrow('failed to fetch token: connection refused');
});
