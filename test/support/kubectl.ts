import { spawn } from 'node:child_process';
import { type KubectlVersion, kubectlPath } from './tools.ts';

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A real kubectl bound to a cluster. */
export interface Kubectl {
  /** Fails the test with kubectl's own words unless it exits with 0. Returns stdout. */
  (args: string | readonly string[], options?: RunOptions): Promise<string>;
  /** Whatever the exit code. */
  run(args: string | readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** `kubectl apply -f -` of YAML text or objects. */
  apply(manifest: string | object | readonly object[], ...flags: string[]): Promise<string>;
  /** `kubectl get ... -o json`. */
  get<T = Record<string, never>>(args: string): Promise<T>;
  readonly path: string;
  readonly kubeconfig: string;
}

export interface RunOptions {
  readonly input?: string;
  readonly timeoutMs?: number;
  /** In place of this process's. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Runs as this user and group. */
  readonly uid?: number;
}

export async function kubectlFor(
  kubeconfig: string,
  version: KubectlVersion = '1.36',
  namespace = 'default',
): Promise<Kubectl> {
  const path = await kubectlPath(version);
  const run = (args: string | readonly string[], options: RunOptions = {}) =>
    runCommand(
      path,
      ['--kubeconfig', kubeconfig, '--namespace', namespace, ...(typeof args === 'string' ? splitArgs(args) : args)],
      options,
    );
  const kubectl = async (args: string | readonly string[], options?: RunOptions) => {
    const result = await run(args, options);
    if (result.code !== 0)
      throw new Error(
        `kubectl ${typeof args === 'string' ? args : args.join(' ')} exited with ${result.code}:\n${result.stderr}${result.stdout}`,
      );
    return result.stdout;
  };
  return Object.assign(kubectl, {
    run,
    path,
    kubeconfig,
    apply: (manifest: string | object | readonly object[], ...flags: string[]) => {
      const input =
        typeof manifest === 'string'
          ? manifest
          : JSON.stringify(Array.isArray(manifest) ? { apiVersion: 'v1', kind: 'List', items: manifest } : manifest);
      return kubectl(['apply', '-f', '-', ...flags], { input });
    },
    get: async <T>(args: string) => JSON.parse(await kubectl(`get ${args} -o json`)) as T,
  });
}

/** Runs a program to its end; never rejects for a bad exit code. */
export function runCommand(
  command: string,
  args: readonly string[],
  { input, timeoutMs = 60_000, env, uid }: RunOptions = {},
): Promise<CommandResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      ...(env ? { env } : {}),
      ...(uid === undefined ? {} : { uid, gid: uid }),
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => {
      stdout += chunk;
    });
    child.stderr.on('data', (chunk) => {
      stderr += chunk;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code: code ?? 1,
        stdout,
        stderr: signal ? `${stderr}\n(ended by ${signal} after ${timeoutMs} ms)` : stderr,
      });
    });
    child.stdin.on('error', () => {});
    child.stdin.end(input ?? '');
  });
}

/** Splits at spaces, keeping single-quoted parts whole. */
function splitArgs(text: string): string[] {
  return [...text.matchAll(/'([^']*)'|(\S+)/g)].map((match) => match[1] ?? match[2]!);
}
