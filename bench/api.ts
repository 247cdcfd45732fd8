import { parseArgs } from 'node:util';
import { measureCustomObjects } from './measurements/custom-objects.ts';
import { createPods, measureLists } from './measurements/lists.ts';
import { measureGet, measureWrites } from './measurements/single-objects.ts';
import { measureWatches } from './measurements/watches.ts';
import { Reference } from './support/reference.ts';
import { number, printTable } from './support/report.ts';
import { ServerProcess } from './support/server-process.ts';

const { values: options } = parseArgs({
  options: {
    objects: { type: 'string', default: '10000' },
    calls: { type: 'string', default: '3000' },
    only: { type: 'string', default: 'get,write,custom,list,watch' },
    'cpu-prof': { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(`npm run bench -- api [options]
  --objects N    pods in the lists (10000); the calls on single objects are then measured again among that many
  --calls N      measured calls per operation on single objects (3000)
  --only A,B     of: get, write, custom, list, watch
  --cpu-prof     the server writes a CPU profile into the current directory when it ends

The API server runs in a process of its own, as "k8ts server" runs it: the lmdb datastore, where a write is answered
when it is synced to the disk, TLS, authentication, and RBAC for a user whose role names these resources and verbs.
  CPU ms    CPU of that process per operation, all its threads, the datastore's included
  bare      the same of a bare Node HTTPS server, measured before and after each round
  ratio     the one by the other; medians of the rounds
  scaled    the ratio times what the bare server takes on the machine the aims were set on
  upstream  kube-apiserver 1.36 and etcd together, on that machine
`);
  process.exit(0);
}
const objects = Number(options.objects);
const calls = Number(options.calls);
const only = new Set(options.only.split(','));

const memory: string[][] = [];
async function noteMemory(when: string, aim: string, upstream: string): Promise<void> {
  const { rssMB, ownMB, heapMB, buffersMB } = await server.usage();
  memory.push([when, number(rssMB), number(ownMB), number(heapMB), number(buffersMB), aim, upstream]);
}

const reference = await Reference.start();
const server = await ServerProcess.start('api-server', {}, options['cpu-prof'] ? ['--cpu-prof'] : []);
const bench = { server, reference };
const listed = objects === 10_000;
await noteMemory('idle', '120', '331');
if (only.has('get')) await measureGet(bench, calls, 'single objects');
if (only.has('write')) await measureWrites(bench, calls, 'writes, durable, 16 connections');
if (only.has('list')) {
  await createPods(server, objects);
  await new Promise((resolve) => setTimeout(resolve, 2000));
  await noteMemory(`${objects} pods`, listed ? '300' : '-', listed ? '907' : '-');
  await measureLists(bench, objects);
  if (only.has('get')) await measureGet(bench, calls, `single objects among ${objects} pods`);
  if (only.has('write')) await measureWrites(bench, calls, `writes among ${objects} pods`);
}
if (only.has('custom')) await measureCustomObjects(bench, calls);
if (only.has('watch')) await measureWatches(bench);
await noteMemory('after all', '350', '1200');
await Promise.all([server.stop(), reference.stop()]);
printTable('memory of the server, MB', ['when', 'resident', 'of it own', 'heap', 'buffers', 'aim', 'upstream'], memory);
