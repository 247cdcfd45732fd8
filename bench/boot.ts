import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import type { Timeline } from '../src/index.ts';
import { kubectlPath } from '../test/support/tools.ts';
import { median, number, printTable, ratio } from './support/report.ts';

declare const __BENCH_ROOT__: string;

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    runtime: { type: 'string', default: '' },
    components: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
});
if (options.help) {
  process.stdout.write(`npm run bench -- boot [options]
  --runs N         how often; the table shows medians (5)
  --runtime NAME   containerd or simulated (both where real containers can run)
  --components     also when each component was ready
`);
  process.exit(0);
}
const runs = Number(options.runs);
const program = join(__BENCH_ROOT__, 'bin', 'k8ts');
const folder = mkdtempSync(join(tmpdir(), 'k8ts-bench-boot-'));

interface Boot {
  /** From the start of the process, ms. */
  readonly controlPlane: number;
  readonly ready: number;
  /** Of the k8ts process and those it has waited for until it was ready, ms. */
  readonly cpu: number;
  /** Until the first `kubectl get nodes` after it shows the node. */
  readonly kubectl: number;
  readonly timeline: Timeline;
  /** From the start of the process to that of the timeline. */
  readonly lead: number;
}

async function boot(runtime: string, dataDir: string, kubectl: string): Promise<Boot> {
  const timings = join(folder, 'timings.json');
  rmSync(timings, { force: true });
  const args = ['up', '--data-dir', dataDir, '--runtime', runtime, '--timings', timings, '-o', 'json'];
  const started = Date.now();
  const child = spawn(process.execPath, [
    program,
    ...args,
    '--api-port',
    '0',
    '--dashboard-port',
    '0',
    '--ingress-ports',
    '0,0',
  ]);
  let errors = '';
  child.stderr.on('data', (chunk: Buffer) => {
    errors += chunk;
  });
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const told = await Promise.race([
    new Promise<boolean>((resolve) => child.stdout.once('data', () => resolve(true))),
    exited.then(() => false),
  ]);
  if (!told) throw new Error(`k8ts up --runtime ${runtime} ended: ${errors}`);
  const cpu = cpuOf(child.pid!);
  const nodes = spawnSync(kubectl, ['--kubeconfig', join(dataDir, 'kubeconfig'), 'get', 'nodes', '--no-headers'], {
    encoding: 'utf8',
  });
  if (!nodes.stdout.includes('Ready')) throw new Error(`kubectl get nodes: ${nodes.stdout}${nodes.stderr}`);
  const seen = Date.now() - started;
  const timeline = JSON.parse(readFileSync(timings, 'utf8')) as Timeline;
  child.kill('SIGTERM');
  await exited;
  const lead = timeline.startedAt - started;
  const phase = (at: number) => lead + (timeline.phases[at]?.ms ?? Number.NaN);
  return { controlPlane: phase(0), ready: phase(4), cpu, kubectl: seen, timeline, lead };
}

/** ms; NaN where there is no /proc. */
function cpuOf(pid: number): number {
  if (!existsSync(`/proc/${pid}/stat`)) return Number.NaN;
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

interface Bare {
  readonly wall: number;
  readonly cpu: number;
}

/** What Node alone takes, ms. */
function bareNode(): Bare {
  const started = performance.now();
  const { stdout } = spawnSync(process.execPath, ['-p', 'JSON.stringify(process.cpuUsage())'], { encoding: 'utf8' });
  const wall = performance.now() - started;
  const { user, system } = JSON.parse(stdout) as NodeJS.CpuUsage;
  return { wall, cpu: (user + system) / 1000 };
}

const kubectl = await kubectlPath();
const rows: string[][] = [];
const bare: Bare[] = [];
const row = (name: string, values: readonly number[], aim: string, of: keyof Bare = 'wall') => {
  const middle = median(values);
  rows.push([
    name,
    number(middle),
    number(Math.min(...values)),
    ratio(middle, median(bare.map((run) => run[of]))),
    aim,
  ]);
};
const real = process.platform === 'linux' && process.getuid?.() === 0;
const runtimes = options.runtime ? [options.runtime] : [...(real ? ['containerd'] : []), 'simulated'];
let last: Boot | undefined;
try {
  for (const runtime of runtimes) {
    const boots: Record<'empty' | 'existing', Boot[]> = { empty: [], existing: [] };
    for (let run = 0; run < runs; run++) {
      const dataDir = join(folder, `${runtime}-${run}`);
      bare.push(bareNode());
      boots.empty.push(await boot(runtime, dataDir, kubectl));
      boots.existing.push(await boot(runtime, dataDir, kubectl));
      spawnSync(process.execPath, [program, 'down', '--purge', '--data-dir', dataDir]);
    }
    for (const kind of ['empty', 'existing'] as const) {
      const where = `${runtime}, ${kind} data directory`;
      const all = boots[kind];
      row(
        `${where}: control plane`,
        all.map((boot) => boot.controlPlane),
        '< 1000',
      );
      row(
        `${where}: all five phases`,
        all.map((boot) => boot.ready),
        '< 3000',
      );
      row(
        `${where}: CPU of the process`,
        all.map((boot) => boot.cpu),
        '-',
        'cpu',
      );
      row(
        `${where}: kubectl get nodes`,
        all.map((boot) => boot.kubectl),
        '-',
      );
    }
    last = boots.empty.at(-1);
  }
  const embedded = Array.from({ length: runs }, () => {
    bare.push(bareNode());
    const { stdout, stderr, status } = spawnSync(
      process.execPath,
      [join(__BENCH_ROOT__, '.cache', 'bench', 'embedded-cluster.mjs')],
      { encoding: 'utf8' },
    );
    if (status !== 0) throw new Error(`the embedded cluster failed: ${stderr}`);
    return JSON.parse(stdout) as Record<'first' | 'second', { ms: number; cpuMs: number }> & {
      importMs: number;
      importCpuMs: number;
    };
  });
  row(
    'in a process: import',
    embedded.map((run) => run.importMs),
    '-',
  );
  row(
    'in a process: import and first start',
    embedded.map((run) => run.importMs + run.first.ms),
    '< 500',
  );
  row(
    'in a process: second start',
    embedded.map((run) => run.second.ms),
    '-',
  );
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const [wall, cpu] = [median(bare.map((run) => run.wall)), median(bare.map((run) => run.cpu))];
printTable(
  `boot, ms from the start of the process; medians of ${runs} runs`,
  ['what', 'median', 'best', 'x node', 'aim'],
  [
    ['reference: node -p 0', number(wall), '', '1.00x', '-'],
    ['reference: node -p 0, CPU', number(cpu), '', '1.00x', '-'],
    ...rows,
  ],
);
if (options.components && last) {
  const { timeline, lead } = last;
  const entries = [...timeline.components].sort((a, b) => (a.readyAt ?? 0) - (b.readyAt ?? 0));
  printTable(
    `components of the last boot from an empty data directory (the timeline starts at ${lead} ms)`,
    ['component', 'started', 'ready', 'took'],
    entries.map(({ component, startedAt, readyAt, ms }) => [
      component,
      number((startedAt ?? Number.NaN) - timeline.startedAt + lead),
      number((readyAt ?? Number.NaN) - timeline.startedAt + lead),
      number(ms),
    ]),
  );
}
