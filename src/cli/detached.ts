import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../apimachinery/coded-error.ts';
import { claimDataDir } from '../cluster/data-dir.ts';
import { type RunState, readRunState, removeRunState } from '../cluster/run-state.ts';
import { describeCluster } from './describe.ts';
import type { FailureMessage } from './failure-message.ts';
import { createProgress } from './progress.ts';

/** Boot components have deadlines of their own; this one is for a child that never says anything. */
const PATIENCE_MS = 180_000;
/** From the child's failure to its end: it stops what it had started. */
const STOP_MS = 20_000;
const POLL_MS = 20;

/** Starts the same command line in the background and returns when phase 5 holds; throws the failing component's cause. */
export async function runDetached({ flags }: { flags: { dataDir: string; output?: 'json' } }): Promise<void> {
  const { dataDir } = flags;
  claimDataDir(dataDir);
  removeRunState(dataDir);
  mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const output = join(dataDir, 'logs', 'output.log');
  const child = spawnAgain(output);
  const progress = flags.output === 'json' ? undefined : createProgress(process.stderr);
  try {
    const state = await whenReady(child, dataDir, output, (state) => progress?.update(state.timeline));
    progress?.finish();
    process.stdout.write(flags.output === 'json' ? `${JSON.stringify(state)}\n` : `${describeCluster(state)}\n`);
  } catch (error) {
    progress?.finish();
    throw error;
  } finally {
    child.unref();
    if (child.connected) child.disconnect();
  }
}

/** This command line without `--detach`, in a session of its own; its failure comes by IPC, which no full disk can stop. */
function spawnAgain(output: string): ChildProcess {
  const sink = openSync(output, 'w', 0o600);
  const args = process.argv.slice(1).filter((arg) => arg !== '--detach');
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', sink, sink, 'ipc'],
  });
  closeSync(sink);
  return child;
}

async function whenReady(
  child: ChildProcess,
  dataDir: string,
  output: string,
  onProgress: (state: RunState) => void,
): Promise<RunState> {
  let failure: FailureMessage | undefined;
  let exited = false;
  child.on('message', (message) => {
    failure = message as FailureMessage;
  });
  child.once('exit', () => {
    exited = true;
  });
  let deadline = Date.now() + PATIENCE_MS;
  let failed = false;
  while (!exited && Date.now() < deadline) {
    if (failure && !failed) {
      failed = true;
      deadline = Date.now() + STOP_MS;
    }
    const state = readRunState(dataDir);
    if (state && state.pid === child.pid) {
      onProgress(state);
      if (isReady(state)) return state;
    }
    await sleep(POLL_MS);
  }
  if (!exited) child.kill(failed ? 'SIGKILL' : 'SIGTERM');
  if (failure) throw new CodedError(failure.code, failure.message, failure.remedy);
  const tail = readFileSync(output, 'utf8').trim().split('\n').slice(-3).join(' / ');
  throw new CodedError(
    'BOOT_FAILED',
    `the cluster did not become ready: ${tail || 'no output'}`,
    `See ${output} and logs/k8ts.log beside it.`,
  );
}

/** Ready, and its addresses are on disk: with them comes what else it offers. */
function isReady(state: RunState): boolean {
  return Object.keys(state.addresses).length > 0 && state.timeline.phases.at(-1)?.ready === true;
}
