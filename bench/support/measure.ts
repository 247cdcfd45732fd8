import type { Latency } from './http-client.ts';
import { FLOOR, type Reference, type Task } from './reference.ts';
import { median, number, printTable, ratio } from './report.ts';
import type { ServerProcess } from './server-process.ts';

/** One operation to be measured. */
export interface Row {
  readonly name: string;
  /** How often a round does it; the CPU is told per unit. */
  readonly units: number;
  readonly rounds?: number;
  run(round: number): Promise<Latency | void>;
  /** Server CPU that a round takes for other things, ms. */
  readonly less?: number;
  /** What the bare server is asked for comparison, and how much of it this operation comes to. */
  readonly against: Task;
  readonly share?: number;
  /** ms. */
  readonly upstream?: number;
  readonly aim?: number;
}

const ROUNDS = 3;

/** What is measured, and the bare server beside it. */
export interface Bench {
  readonly server: ServerProcess;
  readonly reference: Reference;
}

/** CPU that `run` takes the server, ms. */
export async function cpuOf(server: ServerProcess, run: () => Promise<unknown>): Promise<number> {
  const before = await server.usage();
  await run();
  return (await server.usage()).cpuMs - before.cpuMs;
}

/** Measures row by row, each round between two measurements of the reference, and prints the medians. */
export async function measureRows({ server, reference }: Bench, title: string, rows: readonly Row[]): Promise<void> {
  const lines: string[][] = [];
  for (const row of rows) {
    const { name, against, share = 1, rounds = ROUNDS } = row;
    const costs: number[] = [];
    const bares: number[] = [];
    const ratios: number[] = [];
    const latencies: Latency[] = [];
    let before = (await reference.measure(against)) * share;
    for (let round = 0; round < rounds; round++) {
      const started = performance.now();
      const cpuMs = await cpuOf(server, async () => {
        const latency = await row.run(round);
        const took = performance.now() - started;
        latencies.push(latency ?? { p50: took, p99: took });
      });
      const after = (await reference.measure(against)) * share;
      const cost = (cpuMs - (row.less ?? 0)) / row.units;
      const bare = (before + after) / 2;
      costs.push(cost);
      bares.push(bare);
      ratios.push(cost / bare);
      before = after;
    }
    lines.push([
      name,
      number(median(costs)),
      number(median(bares)),
      ratio(median(ratios), 1),
      number(median(ratios) * FLOOR[against] * share),
      number(row.aim),
      number(row.upstream),
      number(median(latencies.map(({ p50 }) => p50))),
      number(median(latencies.map(({ p99 }) => p99))),
    ]);
  }
  printTable(title, ['operation', 'CPU ms', 'bare', 'ratio', 'scaled', 'aim', 'upstream', 'p50 ms', 'p99 ms'], lines);
}
