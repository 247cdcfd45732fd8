import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Timeline } from './graph/component.ts';

/** What a running `k8ts` leaves in its data directory so that `status` and `down` find it. */
export interface RunState {
  readonly pid: number;
  /** `up`, `server` or `agent`. */
  readonly command: string;
  /** Of the process, from /proc where there is one: tells a reused pid from ours. */
  readonly processStart: string;
  readonly startedAt: number;
  readonly runtime: string;
  readonly datastore: string;
  readonly kubeconfig?: string;
  readonly addresses: Readonly<Record<string, string>>;
  /** Of processes that outlive a crash of ours: containerd by node name. */
  readonly processes: Readonly<Record<string, number>>;
  readonly timeline: Timeline;
  /** Set when the boot failed. */
  readonly failure?: { readonly code: string; readonly message: string; readonly remedy: string };
}

const fileOf = (dataDir: string) => join(dataDir, 'run.json');

export function writeRunState(dataDir: string, state: RunState): void {
  const temporary = `${fileOf(dataDir)}.tmp`;
  writeFileSync(temporary, `${JSON.stringify(state, null, 2)}\n`, { mode: 0o600 });
  renameSync(temporary, fileOf(dataDir));
}

/** `undefined` when no k8ts ever ran with this directory, or it was stopped cleanly. */
export function readRunState(dataDir: string): RunState | undefined {
  if (!existsSync(fileOf(dataDir))) return undefined;
  try {
    return JSON.parse(readFileSync(fileOf(dataDir), 'utf8')) as RunState;
  } catch {
    return undefined; // cut off by a crash of the machine: as good as none
  }
}

export function removeRunState(dataDir: string): void {
  rmSync(fileOf(dataDir), { force: true });
}

/** Whether the process that wrote the state is still the one with that pid. */
export function isRunning(state: RunState): boolean {
  try {
    process.kill(state.pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  const { state: now, start } = processStatus(state.pid);
  // A zombie has ended; who reaps it may take seconds.
  if (now === 'Z' || now === 'X') return false;
  return start === '' || state.processStart === '' || start === state.processStart;
}

/** The start time of a process in clock ticks since boot (proc(5), field 22); empty where there is no /proc. */
export function processStart(pid: number): string {
  return processStatus(pid).start;
}

function processStatus(pid: number): { state: string; start: string } {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { state: fields[0] ?? '', start: fields[19] ?? '' };
  } catch {
    return { state: '', start: '' };
  }
}
