import { request } from 'node:https';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import { type KeyPair, openPki, type Pki } from '../../cluster/pki/pki.ts';
import type { ContainerRuntime } from '../runtime/container-runtime.ts';
import { createKubeletServer, type KubeletServer } from './kubelet-server.ts';

interface Review {
  readonly kind: string;
  readonly spec: {
    readonly token?: string;
    readonly user?: string;
    readonly resourceAttributes?: { readonly verb: string; readonly subresource: string; readonly name: string };
  };
}

describe('who may call the kubelet', () => {
  let pki: Pki;
  let server: KubeletServer;
  const asked: string[] = [];
  /** Knows one token, and lets its owner read metrics. */
  const client = {
    for: () => ({
      async create({ kind, spec }: Review) {
        if (kind === 'TokenReview')
          return {
            status:
              spec.token === 'good'
                ? { authenticated: true, user: { username: 'prometheus' } }
                : { authenticated: false },
          };
        const { verb, subresource, name } = spec.resourceAttributes!;
        asked.push(`${spec.user} ${verb} ${name}/${subresource}`);
        return { status: { allowed: spec.user === 'prometheus' && subresource === 'metrics' } };
      },
    }),
  } as unknown as Client;

  beforeAll(async () => {
    pki = await openPki();
    const serving = await pki.issue({ commonName: 'system:node:n', usages: ['server'], ips: ['127.0.0.1'] });
    server = createKubeletServer({
      client,
      logger: silentLogger,
      nodeName: 'n',
      host: '127.0.0.1',
      port: 0,
      tls: { ...serving, clientCA: pki.ca.cert },
    });
    await server.start();
    server.serve({
      pods: { list: () => [], get: () => undefined } as never,
      runtime: { stats: { containers: async () => [] } } as unknown as ContainerRuntime,
    });
  });
  afterAll(() => server.stop());

  const call = (path: string, options: { headers?: Record<string, string>; pair?: KeyPair; method?: string } = {}) =>
    new Promise<string>((resolve, reject) => {
      const { pair, ...rest } = options;
      const sent = request(
        { host: '127.0.0.1', port: server.port, path, agent: false, ca: pki.ca.cert, ...pair, ...rest },
        async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve(`${response.statusCode} ${text}`);
        },
      );
      sent.on('upgrade', (response, socket) => {
        socket.destroy();
        resolve(String(response.statusCode));
      });
      sent.on('error', reject);
      sent.end();
    });

  it('refuses strangers, also those with a certificate of another authority', async () => {
    expect(await call('/pods')).toBe('401 Unauthorized');
    expect(await call('/pods', { headers: { authorization: 'Bearer bad' } })).toBe('401 Unauthorized');
    const other = await openPki();
    const foreign = await other.issue({
      commonName: 'kube-apiserver-kubelet-client',
      organizations: ['system:masters'],
      usages: ['client'],
    });
    expect(await call('/pods', { pair: foreign })).toBe('401 Unauthorized');
    expect(
      await call('/pods', {
        pair: await pki.issue({ commonName: 'kube-apiserver-kubelet-client', usages: ['server'] }),
      }),
    ).not.toMatch(/^200/);
  });

  it('lets the API server and system:masters do all without asking', async () => {
    for (const request of [
      { commonName: 'kube-apiserver-kubelet-client' },
      { commonName: 'me', organizations: ['system:masters'] },
    ])
      expect(await call('/healthz', { pair: await pki.issue({ ...request, usages: ['client'] }) })).toBe('200 ok');
    expect(asked).toEqual([]);
  });

  it('asks the API server about all others, for the narrowest permission first', async () => {
    const headers = { authorization: 'Bearer good' };
    expect(await call('/metrics', { headers })).toMatch(/^200 # HELP kubelet_node_name/);
    expect(await call('/pods', { headers })).toBe(
      '403 Forbidden (user=prometheus, verb=get, resource=nodes, subresource(s)=[pods proxy])\n',
    );
    const pair = await pki.issue({ commonName: 'system:node:n', organizations: ['system:nodes'], usages: ['client'] });
    const websocket = {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': 'AAAAAAAAAAAAAAAAAAAAAA==',
      'sec-websocket-version': '13',
    };
    expect(await call('/exec/default/p/c?command=id&output=1', { pair, headers: websocket })).toMatch(/^403 /);
    expect(asked).toEqual([
      'prometheus get n/metrics',
      'prometheus get n/pods',
      'prometheus get n/proxy',
      'system:node:n create n/proxy',
    ]);
  });
});
