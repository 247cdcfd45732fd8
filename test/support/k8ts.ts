import { createServer } from 'node:net';
import { join } from 'node:path';
import { type CommandResult, type RunOptions, runCommand } from './kubectl.ts';
import { root } from './tools.ts';

export const program = join(root, 'bin', 'k8ts');

/** The built program, whatever its exit code. */
export function k8ts(args: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
  return runCommand(process.execPath, [program, ...args], { timeoutMs: 120_000, ...options });
}

export interface RunningCluster {
  readonly dataDir: string;
  readonly kubeconfig: string;
  readonly addresses: Readonly<Record<string, string>>;
  readonly pid: number;
}

/** `k8ts up --detach`; throws with the program's own words when it fails. */
export async function clusterUp(
  dataDir: string,
  args: readonly string[] = [],
  options: RunOptions = {},
): Promise<RunningCluster> {
  const apiPort = args.includes('--api-port') ? [] : ['--api-port', '0'];
  const result = await k8ts(
    [
      'up',
      '--detach',
      '--data-dir',
      dataDir,
      '--dashboard-port',
      '0',
      '--ingress-ports',
      '0,0',
      ...apiPort,
      '-o',
      'json',
      ...args,
    ],
    options,
  );
  if (result.code !== 0) throw new Error(`k8ts up exited with ${result.code}:\n${result.stderr}${result.stdout}`);
  const state = JSON.parse(result.stdout);
  return { dataDir, kubeconfig: state.kubeconfig, addresses: state.addresses, pid: state.pid };
}

export async function clusterDown(dataDir: string): Promise<void> {
  const result = await k8ts(['down', '--purge', '--data-dir', dataDir]);
  if (result.code !== 0) throw new Error(`k8ts down exited with ${result.code}:\n${result.stderr}`);
}

/** A port that nobody listens on now. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}

/** Why real containers can't run here; undefined when they can. */
export function noContainers(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return undefined;
}
