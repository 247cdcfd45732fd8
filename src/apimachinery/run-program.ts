import { spawn } from 'node:child_process';

/** Runs a program to its end with `input` on stdin. Rejects with its stderr when it fails or takes longer than `timeoutMs`. */
export function runProgram(
  command: string,
  args: readonly string[],
  options: { input?: string; timeoutMs?: number } = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: options.timeoutMs ?? 30_000,
      env: { ...process.env, PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` },
    });
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
      if (code === 0) resolve(stdout);
      else
        reject(
          new Error(`${command} ${args.join(' ')}: ${stderr.trim().slice(0, 2000) || `ended with ${signal ?? code}`}`),
        );
    });
    child.stdin.on('error', () => {}); // the exit status says what went wrong
    child.stdin.end(options.input ?? '');
  });
}
