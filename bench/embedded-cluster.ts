import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Cluster as ClusterClass } from '../src/index.ts';

declare const __BENCH_ROOT__: string;

/** One fresh process: the library is imported, and a cluster started and stopped twice. Prints the times as JSON, ms. */
const entered = performance.now();
const library = pathToFileURL(join(__BENCH_ROOT__, 'dist', 'index.js')).href;
const { Cluster } = (await import(library)) as { Cluster: typeof ClusterClass };
const imported = performance.now();
const { user, system } = process.cpuUsage();

async function start() {
  const cpu = process.cpuUsage();
  const began = performance.now();
  const cluster = await Cluster.start({
    runtime: 'simulated',
    datastore: 'memory',
    ingressPorts: { http: 0, https: 0 },
  });
  const ms = performance.now() - began;
  const { user, system } = process.cpuUsage(cpu);
  const controlPlaneMs = cluster.timeline().phases[0]?.ms;
  await cluster.stop();
  return { ms, controlPlaneMs, cpuMs: (user + system) / 1000 };
}

const first = await start();
const second = await start();
process.stdout.write(
  `${JSON.stringify({ importMs: imported - entered, importCpuMs: (user + system) / 1000, first, second })}\n`,
);
process.exit(0);
