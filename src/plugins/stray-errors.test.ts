import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { transformSync } from 'esbuild';
import { describe, expect, it } from 'vitest';

/** Runs a script in a process of its own, for these errors would end this one. */
function run(script: string) {
  const { code } = transformSync(readFileSync(join(import.meta.dirname, 'stray-errors.ts'), 'utf8'), {
    loader: 'ts',
    format: 'esm',
  });
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '-e',
      `${code}\nconst stray = new StrayErrors();\nconst second = new StrayErrors();\nstray.start();\nsecond.start();\n${script}`,
    ],
    { encoding: 'utf8', timeout: 10_000 },
  );
  return { status, stdout, stderr };
}

describe('errors outside any call', () => {
  it('of a plugin go to the plugin', () => {
    const { status, stdout } = run(`
      stray.run((error) => console.log('plugin: ' + error.message), () => {
        setTimeout(() => { throw new Error('in a timer'); }, 1);
        Promise.reject(new Error('in a promise'));
      });
      setTimeout(() => { console.log('alive'); stray.stop(); second.stop(); }, 50);
    `);
    expect({ status, lines: stdout.trim().split('\n') }).toEqual({
      status: 0,
      lines: ['plugin: in a promise', 'plugin: in a timer', 'alive'],
    });
  });

  it('of everybody else end the process as ever', () => {
    const { status, stderr } = run(
      `setTimeout(() => { throw new Error('not a plugin'); }, 1); setTimeout(() => {}, 5000);`,
    );
    expect(status).toBe(1);
    expect(stderr).toContain('Error: not a plugin');
  });
});
