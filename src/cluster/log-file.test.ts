import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { LogFile } from './log-file.ts';

describe('the log file', () => {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-log-'));
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('has every line in order, whether written in the background or at the end', async () => {
    const path = join(folder, 'log');
    const file = new LogFile(path);
    const lines = Array.from({ length: 3000 }, (_, n) => `line ${n} ${'x'.repeat(n % 50)}\n`);
    for (const [n, line] of lines.entries()) {
      file.write(line);
      if (n % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    }
    await expect.poll(() => readFileSync(path, 'utf8').length, { timeout: 3000 }).toBe(lines.join('').length);
    file.write('last\n');
    file.flushSync();
    expect(readFileSync(path, 'utf8')).toBe(`${lines.join('')}last\n`);
  });

  it.skipIf(!existsSync('/dev/full'))('goes on when the disk is full', async () => {
    const file = new LogFile('/dev/full');
    for (let n = 0; n < 1000; n++) file.write(`${'x'.repeat(1000)}\n`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    file.write('more\n');
    file.flushSync();
  });
});
