import { type Call, type HttpClient, load, openHttp1, openHttp2 } from '../support/http-client.ts';
import { type Bench, measureRows, type Row } from '../support/measure.ts';
import { configMap } from '../support/objects.ts';

export const CONFIG_MAPS = '/api/v1/namespaces/bench/configmaps';

/** Of `calls`, a round makes a third. */
export const perRound = (calls: number): number => Math.ceil(calls / 3);

export async function measureGet(bench: Bench, calls: number, title: string): Promise<void> {
  const [http1, http2] = [openHttp1(bench.server.target, 16), openHttp2(bench.server.target)];
  const path = `${CONFIG_MAPS}/read-me`;
  await http1.request(json('POST', CONFIG_MAPS, configMap('read-me')));
  const units = perRound(calls);
  const get = (client: HttpClient, concurrency: number) => () => load(client, units, concurrency, () => ({ path }));
  for (const warmUp of [get(http1, 16), get(http2, 64), get(http1, 16), get(http2, 64)]) await warmUp();
  const common = { units, aim: 0.1 } as const;
  await measureRows(bench, title, [
    { name: 'GET 1 KB, HTTP/1.1, 16 connections', ...common, run: get(http1, 16), against: 'http1', upstream: 0.92 },
    { name: 'GET 1 KB, HTTP/2, 64 streams', ...common, run: get(http2, 64), against: 'http2', upstream: 0.82 },
  ]);
  await http1.request({ method: 'DELETE', path });
  await Promise.all([http1.close(), http2.close()]);
}

export async function measureWrites(bench: Bench, calls: number, title: string): Promise<void> {
  const client = openHttp1(bench.server.target, 16);
  const units = perRound(calls);
  const pathOf = (at: number) => `${CONFIG_MAPS}/${nameOf(at)}`;
  const patch =
    (kind: string, body: (at: number) => object, query = '') =>
    (at: number): Call => ({
      method: 'PATCH',
      path: `${pathOf(at)}${query}`,
      body: JSON.stringify(body(at)),
      contentType: `application/${kind}`,
    });
  let turn = 0;
  const operations: readonly [string, number, number, (at: number) => Call][] = [
    ['create 1 KB', 0.3, 1.49, (at) => json('POST', CONFIG_MAPS, configMap(nameOf(at)))],
    ['update 1 KB', 0.3, 1.94, (at) => json('PUT', pathOf(at), configMap(nameOf(at), `update ${turn}`))],
    [
      'patch, strategic',
      0.5,
      1.98,
      patch('strategic-merge-patch+json', (at) => ({ data: { change: `strategic ${turn} ${at}` } })),
    ],
    ['patch, merge', 0.5, 2.08, patch('merge-patch+json', (at) => ({ data: { change: `merge ${turn} ${at}` } }))],
    [
      'apply',
      0.5,
      2.21,
      patch('apply-patch+yaml', (at) => configMap(nameOf(at), `apply ${turn}`), '?fieldManager=bench&force=true'),
    ],
    ['delete 1 KB', 0.3, 1.63, (at) => ({ method: 'DELETE', path: pathOf(at) })],
  ];
  // What each row measures was done by one round before, so that all code is compiled.
  for (const [, , , callOf] of operations) await load(client, units, 16, callOf);
  turn++;
  await measureRows(
    bench,
    title,
    operations.map(
      ([name, aim, upstream, callOf]): Row => ({
        name,
        units,
        run: (round) => load(client, units, 16, (at) => callOf(round * units + at)),
        against: 'http1',
        aim,
        upstream,
      }),
    ),
  );
  await client.close();
}

const nameOf = (at: number): string => `map-${at}`;

export function json(method: string, path: string, body: object): Call {
  return { method, path, body: JSON.stringify(body), contentType: 'application/json' };
}
