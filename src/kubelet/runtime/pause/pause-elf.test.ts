import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { pauseExecutable } from './pause-elf.ts';

const native =
  process.platform === 'linux'
    ? ({ x64: 'amd64', arm64: 'arm64' } as const)[process.arch as 'x64' | 'arm64']
    : undefined;

describe('pauseExecutable', () => {
  it('is a static ELF of the asked machine', () => {
    for (const [architecture, machine] of [
      ['amd64', 62],
      ['arm64', 183],
    ] as const) {
      const file = Buffer.from(pauseExecutable(architecture));
      expect(file.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
      expect(file.readUInt16LE(18)).toBe(machine);
      expect(file.byteLength).toBeLessThan(300);
    }
  });

  it.skipIf(!native)('waits, and exits with 0 at SIGTERM and SIGINT', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'pause-'));
    try {
      const file = join(directory, 'pause');
      writeFileSync(file, pauseExecutable(native!), { mode: 0o755 });
      for (const signal of ['SIGTERM', 'SIGINT'] as const) {
        const child = spawn(file, { stdio: 'ignore' });
        const exit = new Promise((resolve) => child.once('exit', (code, by) => resolve({ code, by })));
        await new Promise((resolve) => setTimeout(resolve, 50));
        expect(child.exitCode).toBeNull();
        child.kill('SIGCHLD');
        await new Promise((resolve) => setTimeout(resolve, 20));
        expect(child.exitCode).toBeNull();
        child.kill(signal);
        expect(await exit).toEqual({ code: 0, by: null });
      }
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
