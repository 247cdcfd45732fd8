import { parseArgs } from 'node:util';
import {
  type Call,
  type HttpClient,
  type Latency,
  load,
  openHttp1,
  openHttp2,
  openSession,
} from './support/http-client.ts';
import { configMap, nodeName, pod } from './support/objects.ts';
import { BULK_BYTES, FLOOR, Reference, type Task } from './support/reference.ts';
import { median, number, printTable, ratio } from './support/report.ts';
import { ServerProcess, type Target } from './support/server-process.ts';

const { values: options } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    calls: { type: 'string', default: '3000' },
    only: { type: 'string', default: 'get,write,list,watch' },
    'cpu-prof': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(`npm run bench -- api [options]
  --objects N    pods in the lists (10000); the calls on single objects are then measured again among that many
  --calls N      measured calls per operation on single objects (3000)
  --only A,B     of: get, write, list, watch
  --cpu-prof     the server writes a CPU profile into the current directory when it ends
`);
  process.exit(0);
}
const objects = Number(options.objects);
const calls = Number(options.calls);
const only = new Set(options.only.split(','));

const CONFIG_MAPS = '/api/v1/namespaces/bench/configmaps';
const PODS = '/api/v1/namespaces/bench/pods';
const TABLE = 'application/json;as=Table;g=meta.k8s.io;v=v1';

interface Measured {
  readonly cpuMs: number;
  readonly latency?: Latency;
}

/** Server CPU per unit of `run`, of which there are `units`. */
async function measure(server: ServerProcess, units: number, run: () => Promise<Latency | void>): Promise<Measured> {
  const before = await server.usage();
  const latency = await run();
  const after = await server.usage();
  return { cpuMs: (after.cpuMs - before.cpuMs) / units, ...(latency ? { latency } : {}) };
}

interface Row {
  readonly name: string;
  measure(): Promise<Measured>;
  /** What the bare server is asked for comparison, and how much of it this operation comes to. */
  readonly against: Task;
  readonly share?: number;
  readonly upstream?: number;
  readonly aim?: number;
}

/** Measures row by row, each between two measurements of the reference, and prints what comes out. */
async function run(title: string, rows: readonly Row[]): Promise<void> {
  const lines: string[][] = [];
  for (const { name, against, share = 1, aim, upstream, measure } of rows) {
    const before = await reference.measure(against);
    const { cpuMs, latency } = await measure();
    const bare = ((before + (await reference.measure(against))) / 2) * share;
    lines.push([
      name,
      number(cpuMs),
      number(bare),
      ratio(cpuMs, bare),
      number((cpuMs / bare) * FLOOR[against] * share),
      number(aim),
      number(upstream),
      number(latency?.p50),
      number(latency?.p99),
    ]);
  }
  printTable(title, ['operation', 'CPU ms', 'bare', 'ratio', 'scaled', 'aim', 'upstream', 'p50 ms', 'p99 ms'], lines);
}

async function measureGet(server: ServerProcess, title: string): Promise<void> {
  const [http1, http2] = [openHttp1(server.target, 16), openHttp2(server.target)];
  const path = `${CONFIG_MAPS}/read-me`;
  await http1.request({
    method: 'POST',
    path: CONFIG_MAPS,
    body: JSON.stringify(configMap('read-me')),
    contentType: 'application/json',
  });
  const get = (client: HttpClient, concurrency: number) => load(client, calls, concurrency, () => ({ path }));
  await Promise.all([get(http1, 16), get(http2, 64)]);
  await run(title, [
    {
      name: 'GET 1 KB, HTTP/1.1, 16 connections',
      measure: () => measure(server, calls, () => get(http1, 16)),
      against: 'http1',
      aim: 0.1,
      upstream: 0.92,
    },
    {
      name: 'GET 1 KB, HTTP/2, 64 streams',
      measure: () => measure(server, calls, () => get(http2, 64)),
      against: 'http2',
      aim: 0.1,
      upstream: 0.82,
    },
  ]);
  await http1.request({ method: 'DELETE', path });
  await Promise.all([http1.close(), http2.close()]);
}

async function measureWrites(server: ServerProcess, title: string): Promise<void> {
  const client = openHttp1(server.target, 16);
  const name = (at: number) => `map-${at}`;
  const json =
    (method: string, body: (at: number) => object) =>
    (at: number): Call => ({
      method,
      path: method === 'POST' ? CONFIG_MAPS : `${CONFIG_MAPS}/${name(at)}`,
      body: JSON.stringify(body(at)),
      contentType: 'application/json',
    });
  const patch =
    (kind: string, body: (at: number) => object, query = '') =>
    (at: number): Call => ({
      method: 'PATCH',
      path: `${CONFIG_MAPS}/${name(at)}${query}`,
      body: JSON.stringify(body(at)),
      contentType: `application/${kind}`,
    });
  let turn = 0;
  const operations: readonly [string, number, number, (at: number) => Call][] = [
    ['create 1 KB', 0.3, 1.49, json('POST', (at) => configMap(name(at)))],
    ['update 1 KB', 0.3, 1.94, json('PUT', (at) => configMap(name(at), `update ${turn}`))],
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
      patch('apply-patch+yaml', (at) => configMap(name(at), `apply ${turn}`), '?fieldManager=bench&force=true'),
    ],
    ['delete 1 KB', 0.3, 1.63, (at) => ({ method: 'DELETE', path: `${CONFIG_MAPS}/${name(at)}` })],
  ];
  for (const [, , , callOf] of operations) await load(client, Math.ceil(calls / 2), 16, callOf);
  turn++;
  await run(
    title,
    operations.map(([operation, aim, upstream, callOf]) => ({
      name: operation,
      measure: () => measure(server, calls, () => load(client, calls, 16, callOf)),
      against: 'http1',
      aim,
      upstream,
    })),
  );
  await client.close();
}

async function fill(server: ServerProcess): Promise<void> {
  const client = openHttp1(server.target, 32);
  const started = performance.now();
  const measured = await measure(server, objects, () =>
    load(client, objects, 32, (at) => ({
      method: 'POST',
      path: PODS,
      body: JSON.stringify(pod(at)),
      contentType: 'application/json',
    })),
  );
  process.stdout.write(
    `\n${objects} pods created in ${number((performance.now() - started) / 1000)} s, ${number(measured.cpuMs)} ms of server CPU each\n`,
  );
  await client.close();
}

async function measureLists(server: ServerProcess): Promise<void> {
  const client = openHttp1(server.target, 1);
  const scale = objects / 10_000;
  const whole = await client.request({ path: PODS });
  const repeated = async (run: () => Promise<void>, times = 5): Promise<Measured> => {
    await run();
    await run();
    const rounds: Measured[] = [];
    const latencies: number[] = [];
    for (let round = 0; round < times; round++) {
      const started = performance.now();
      rounds.push(await measure(server, 1, run));
      latencies.push(performance.now() - started);
    }
    return {
      cpuMs: median(rounds.map(({ cpuMs }) => cpuMs)),
      latency: { p50: median(latencies), p99: Math.max(...latencies) },
    };
  };
  const paged = async () => {
    let token = '';
    do {
      const { body } = await client.request({ path: `${PODS}?limit=500${token && `&continue=${token}`}` }, true);
      token = /"continue":"([^"]+)"/.exec(body.slice(0, 2000))?.[1] ?? '';
    } while (token);
  };
  const few = async (path: string): Promise<Measured> => {
    const list = () => load(client, 200, 1, () => ({ path }));
    await list();
    return measure(server, 200, list);
  };
  const http2 = openHttp2(server.target);
  const share = whole.bytes / BULK_BYTES;
  const all = { against: 'bulk', share } as const;
  const hundredth = { against: 'bulk', share: share / 100 } as const;
  const get =
    (path: string, accept?: string, by = client) =>
    () =>
      repeated(async () => void (await by.request({ path, ...(accept ? { accept } : {}) })));
  await run(`lists of ${objects} pods (${number(whole.bytes / 1e6)} MB JSON; bare: sending as much)`, [
    { name: '1,000 pods', measure: get(`${PODS}?limit=1000`), against: 'bulk', share: (share * 1000) / objects },
    { name: 'all', measure: get(PODS), ...all, aim: 60 * scale, upstream: 606 * scale },
    { name: 'all, HTTP/2', measure: get(PODS, undefined, http2), ...all },
    { name: 'all, paged by 500', measure: () => repeated(paged), ...all, aim: 75 * scale, upstream: 757 * scale },
    { name: 'all, as Table', measure: get(PODS, TABLE), ...all, aim: 60 * scale, upstream: 427 * scale },
    {
      name: 'label, 1 %',
      measure: () => few(`${PODS}?labelSelector=sample%3Dyes`),
      ...hundredth,
      aim: 1.5 * scale,
      upstream: 26 * scale,
    },
    {
      name: 'one of 100 nodes',
      measure: () => few(`${PODS}?fieldSelector=spec.nodeName%3D${nodeName(7)}`),
      ...hundredth,
      aim: 0.7 * scale,
      upstream: 7.2 * scale,
    },
    {
      name: 'streaming list, HTTP/2',
      measure: () => repeated(() => streamingList(server.target)),
      ...all,
      aim: 90 * scale,
      upstream: 1333 * scale,
    },
  ]);
  await http2.close();
  await client.close();
}

/** A watch with `sendInitialEvents`, until the bookmark that ends them. */
function streamingList(target: Target): Promise<void> {
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

interface OpenWatch {
  onLines: (count: number) => void;
  onError: (error: Error) => void;
  close(): void;
}

function openWatch(target: Target, path: string, session = openSession(target), own = true): OpenWatch {
  const stream = session.request({ ':path': path, accept: 'application/json', 'user-agent': 'k8ts-bench/1' });
  const watch: OpenWatch = { onLines() {}, onError() {}, close: () => (own ? session.destroy() : stream.close()) };
  let lines = 0;
  stream.on('data', (chunk: Buffer) => {
    for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines++;
    watch.onLines(lines);
  });
  stream.on('error', (error: Error) => watch.onError(error));
  stream.end();
  return watch;
}

const UPDATES = 500;
const WATCHED_OBJECTS = 50;
const STREAMS_PER_CONNECTION = 50;

async function measureWatches(server: ServerProcess): Promise<void> {
  const client = openHttp1(server.target, 4);
  const name = (at: number) => `watched-${at % WATCHED_OBJECTS}`;
  await load(client, WATCHED_OBJECTS, 4, (at) => ({
    method: 'POST',
    path: CONFIG_MAPS,
    body: JSON.stringify(configMap(name(at))),
    contentType: 'application/json',
  }));
  const update = (label: string) => () =>
    load(client, UPDATES, 4, (at) => ({
      method: 'PATCH',
      path: `${CONFIG_MAPS}/${name(at)}`,
      body: JSON.stringify({ data: { change: `${label} ${at}` } }),
      contentType: 'application/merge-patch+json',
    }));
  await update('warm-up')();
  const alone = await measure(server, UPDATES, update('alone'));
  /** Server CPU per event delivered to one of so many watchers. */
  const watched = async (watchers: number): Promise<Measured> => {
    const sessions = Array.from({ length: Math.ceil(watchers / STREAMS_PER_CONNECTION) }, () =>
      openSession(server.target),
    );
    const { body } = await client.request({ path: `${CONFIG_MAPS}?limit=1` }, true);
    const { resourceVersion } = (JSON.parse(body) as { metadata: { resourceVersion: string } }).metadata;
    const path = `${CONFIG_MAPS}?watch=1&resourceVersion=${resourceVersion}`;
    const everyone = Array.from({ length: watchers }, (_, at) => {
      const watch = openWatch(server.target, path, sessions[at % sessions.length], false);
      return new Promise<void>((resolve, reject) => {
        watch.onError = reject;
        watch.onLines = (lines) => lines >= UPDATES && resolve();
      });
    });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const measured = await measure(server, 1, async () => {
      const latency = await update(`${watchers} watchers`)();
      await Promise.all(everyone);
      return latency;
    });
    for (const session of sessions) session.destroy();
    return { ...measured, cpuMs: (measured.cpuMs - alone.cpuMs * UPDATES) / (watchers * UPDATES) };
  };
  await run(`${UPDATES} updates (latency: of the updates; ${number(alone.cpuMs)} ms CPU each without watchers)`, [
    {
      name: 'event to one of 200 watchers',
      measure: () => watched(200),
      against: 'http2',
      aim: 0.005,
      upstream: 0.021,
    },
    {
      name: 'event to one of 1000 watchers',
      measure: () => watched(1000),
      against: 'http2',
      aim: 0.005,
      upstream: 0.013,
    },
  ]);
  await client.close();
}

const memory: string[][] = [];
async function noteMemory(server: ServerProcess, when: string, aim: string, upstream: string): Promise<void> {
  const { rssMB, ownMB, heapMB } = await server.usage();
  memory.push([when, number(rssMB), number(ownMB), number(heapMB), aim, upstream]);
}

const reference = await Reference.start();
const server = await ServerProcess.start('api-server', {}, options['cpu-prof'] ? ['--cpu-prof'] : []);
await noteMemory(server, 'idle', '120', '331');
if (only.has('get')) await measureGet(server, 'single objects');
if (only.has('write')) await measureWrites(server, 'writes, durable, 16 connections');
if (only.has('list')) {
  await fill(server);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await noteMemory(server, `${objects} pods`, objects === 10_000 ? '300' : '-', objects === 10_000 ? '907' : '-');
  await measureLists(server);
  if (only.has('get')) await measureGet(server, `single objects among ${objects} pods`);
  if (only.has('write')) await measureWrites(server, `writes among ${objects} pods`);
}
if (only.has('watch')) await measureWatches(server);
await noteMemory(server, 'after all', '350', '1200');
await Promise.all([server.stop(), reference.stop()]);
printTable('memory of the server, MB', ['when', 'resident', 'of it own', 'heap', 'aim', 'upstream'], memory);
