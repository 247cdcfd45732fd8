import { spawn } from 'node:child_process';
import { mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CodedError } from '../apimachinery/coded-error.ts';
import { claimDataDir } from '../cluster/data-dir.ts';
import { type RunState, readRunState, removeRunState } from '../cluster/run-state.ts';
import { describeCluster } from './describe.ts';
import { createProgress } from './progress.ts';

/** Boot components have deadlines of their own; this one is for a child that never says anything. */
const PATIENCE_MS = 180_000;

/** Starts the same command line in the background and returns when phase 5 holds; throws the failing component's cause. */
export async function runDetached({
  flags,
}: {
  flags: { dataDir: string; output?: 'json' };
  command: string;
}): Promise<void> {
  const { dataDir } = flags;
  claimDataDir(dataDir);
  removeRunState(dataDir);
  mkdirSync(join(dataDir, 'logs'), { recursive: true, mode: 0o700 });
  const output = join(dataDir, 'logs', 'output.log');
  const sink = openSync(output, 'w', 0o600);
  const args = process.argv.slice(1).filter((arg) => arg !== '--detach');
  const child = spawn(process.execPath, [...process.execArgv, ...args], {
    detached: true,
    stdio: ['ignore', sink, sink],
  });
  let exited = false;
  child.once('exit', () => {
    exited = true;
  });
  child.unref();
  const progress = flags.output === 'json' ? undefined : createProgress(process.stderr);
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    const state = readRunState(dataDir);
    if (state && state.pid === child.pid) progress?.update(state.timeline);
    if (state?.failure) {
      progress?.finish();
      throw new CodedError(state.failure.code, state.failure.message, state.failure.remedy);
    }
    if (state && isReady(state)) {
      progress?.finish();
      process.stdout.write(flags.output === 'json' ? `${JSON.stringify(state)}\n` : `${describeCluster(state)}\n`);
      return;
    }
    if (exited || Date.now() > deadline) {
      if (!exited) child.kill('SIGTERM');
      progress?.finish();
      const tail = readFileSync(output, 'utf8').trim().split('\n').slice(-3).join(' / ');
      throw new CodedError(
        'BOOT_FAILED',
        `the cluster did not become ready: ${tail || 'no output'}`,
        `See ${output} and logs/k8ts.log beside it.`,
      );
    }
    await sleep(50);
  }
}

/** Ready, and its addresses and kubeconfig are on disk. */
function isReady(state: RunState): boolean {
  return state.kubeconfig !== undefined && state.timeline.phases.at(-1)?.ready === true;
}
