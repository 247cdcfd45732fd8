import { Agent, type AgentOptions } from '../cluster/agent.ts';
import { describeCluster } from './describe.ts';
import { runInForeground } from './foreground-process.ts';

export interface AgentRun extends AgentOptions {
  readonly timings?: string;
  readonly output?: 'json';
}

/** A node in this process until it is told to stop. */
export function runAgent({ timings, output, ...options }: AgentRun): Promise<void> {
  return runInForeground<Agent>({
    command: 'agent',
    flags: { dataDir: options.dataDir, timings, output },
    runtime: options.runtime,
    datastore: 'none',
    boot: (context) => Agent.start({ ...options, ...context }),
    describe: describeCluster,
  });
}
