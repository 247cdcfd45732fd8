import type { Command } from 'commander';
import { CodedError } from '../apimachinery/coded-error.ts';
import { dataDirOption, outputOption } from './shared-options.ts';

export function defineStatus(program: Command): void {
  const command = program
    .command('status')
    .description('phases, components, timeline, addresses and processes of a cluster');
  outputOption(dataDirOption(command)).action(async (flags: { dataDir: string; output?: 'json' }) => {
    const [{ isRunning, readRunState }, { drawTimeline }, { describeCluster }] = await Promise.all([
      import('../cluster/run-state.ts'),
      import('./progress.ts'),
      import('./describe.ts'),
    ]);
    const state = readRunState(flags.dataDir);
    if (!state) {
      if (flags.output === 'json') process.stdout.write('{"running":false}\n');
      else process.stdout.write(`No cluster runs with the data directory ${flags.dataDir}.\n`);
      process.exitCode = 1;
      return;
    }
    const running = isRunning(state);
    const ready = running && state.timeline.phases.at(-1)?.ready === true;
    if (flags.output === 'json') {
      process.stdout.write(`${JSON.stringify({ running, ready, ...state })}\n`);
    } else {
      process.stdout.write(`${drawTimeline(state.timeline, process.stdout.isTTY === true).join('\n')}\n\n`);
      if (ready) process.stdout.write(`${describeCluster(state)}\n`);
      const processes = Object.entries({ k8ts: state.pid, ...state.processes });
      process.stdout.write(`\nprocesses: ${processes.map(([name, pid]) => `${name} ${pid}`).join(', ')}\n`);
    }
    if (state.failure) throw new CodedError(state.failure.code, state.failure.message, state.failure.remedy);
    if (!running) {
      throw new CodedError(
        'NOT_RUNNING',
        `process ${state.pid} is gone without a clean stop`,
        'Start it again with `k8ts up`: its pods are adopted; or clean up with `k8ts down`.',
      );
    }
    if (!ready) process.exitCode = 1;
  });
}
