import { type HttpClient, load, openHttp1, openHttp2 } from '../support/http-client.ts';
import { type Bench, cpuOf, measureRows, type Row } from '../support/measure.ts';
import { nodeName, pod } from '../support/objects.ts';
import { BULK_BYTES } from '../support/reference.ts';
import { number } from '../support/report.ts';
import type { ServerProcess, Target } from '../support/server-process.ts';
import { openWatch } from '../support/watch-client.ts';
import { json } from './single-objects.ts';

const PODS = '/api/v1/namespaces/bench/pods';
const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';
const WRITERS = 64;
const ROUNDS = 5;
/** Selective lists are short, so that a round makes many. */
const SELECTIVE = 100;

export async function createPods(server: ServerProcess, objects: number): Promise<void> {
  const client = openHttp1(server.target, WRITERS);
  const started = performance.now();
  const cpuMs = await cpuOf(server, () => load(client, objects, WRITERS, (at) => json('POST', PODS, pod(at))));
  process.stdout.write(
    `\n${objects} pods created in ${number((performance.now() - started) / 1000)} s, ${number(cpuMs / objects)} ms of server CPU each\n`,
  );
  await client.close();
}

export async function measureLists(bench: Bench, objects: number): Promise<void> {
  const { target } = bench.server;
  const [client, http2] = [openHttp1(target, 1), openHttp2(target)];
  const scale = objects / 10_000;
  const { bytes } = await client.request({ path: PODS });
  const share = bytes / BULK_BYTES;
  const whole = (
    name: string,
    aim: number | undefined,
    upstream: number | undefined,
    list: () => Promise<unknown>,
  ) => ({
    name,
    units: 1,
    rounds: ROUNDS,
    run: async () => void (await list()),
    against: 'bulk' as const,
    share,
    ...(aim === undefined ? {} : { aim: aim * scale }),
    ...(upstream === undefined ? {} : { upstream: upstream * scale }),
  });
  const selective = (name: string, aim: number, upstream: number, selector: string): Row => ({
    name,
    units: SELECTIVE,
    run: () => load(client, SELECTIVE, 1, () => ({ path: `${PODS}?${selector}` })),
    against: 'bulk',
    share: share / 100,
    aim: aim * scale,
    upstream: upstream * scale,
  });
  const rows: readonly Row[] = [
    whole('all', 60, 606, () => client.request({ path: PODS })),
    whole('all, HTTP/2', undefined, undefined, () => http2.request({ path: PODS })),
    whole('all, paged by 500', 75, 757, () => listPaged(client)),
    whole('all, as Table', 60, 427, () => client.request({ path: PODS, accept: TABLE })),
    selective('label, 1 %', 1.5, 26, 'labelSelector=sample%3Dyes'),
    selective('one of 100 nodes', 0.7, 7.2, `fieldSelector=spec.nodeName%3D${nodeName(7)}`),
    whole('streaming list, HTTP/2', 90, 1333, () => listStreaming(target, objects)),
  ];
  for (const row of rows) await row.run(0);
  await measureRows(bench, `lists of ${objects} pods (${number(bytes / 1e6)} MB JSON; bare: sending as much)`, rows);
  await Promise.all([http2.close(), client.close()]);
}

async function listPaged(client: HttpClient): Promise<void> {
  let token = '';
  do {
    const { body } = await client.request({ path: `${PODS}?limit=500${token && `&continue=${token}`}` }, true);
    token = /"continue":"([^"]+)"/.exec(body.slice(0, 2000))?.[1] ?? '';
  } while (token);
}

/** A watch with `sendInitialEvents`, until the bookmark that ends them. */
function listStreaming(target: Target, objects: number): Promise<void> {
  const query = 'watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true';
  return new Promise((resolve, reject) => {
    const watch = openWatch(target, `${PODS}?${query}`);
    watch.onLines = (lines) => {
      if (lines < objects + 1) return;
      watch.close();
      resolve();
    };
    watch.onError = reject;
  });
}
