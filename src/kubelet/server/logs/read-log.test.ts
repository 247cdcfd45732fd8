import { appendFileSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LogOptions } from './log-options.ts';
import { readLog } from './read-log.ts';

const ALL: LogOptions = { follow: false, previous: false, timestamps: false };
let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'k8ts-log-'));
  path = join(directory, '0.log');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const line = (text: string, { stream = 'stdout', tag = 'F', second = 0 } = {}) =>
  `2026-01-02T03:04:${String(second).padStart(2, '0')}.5Z ${stream} ${tag} ${text}\n`;

async function read(options: Partial<LogOptions> = {}): Promise<string> {
  const chunks: Buffer[] = [];
  await readLog(
    { path, running: () => false },
    { ...ALL, ...options },
    new AbortController().signal,
    (chunk) => void chunks.push(Buffer.from(chunk)),
  );
  return Buffer.concat(chunks).toString();
}

describe('readLog', () => {
  it('joins the parts of a line, and leaves out what is no log line', async () => {
    writeFileSync(
      path,
      `${line('a', { tag: 'P' })}${line('b', { tag: 'P' })}${line('c')}garbage\n${line('')}${line('two  spaces ')}`,
    );
    expect(await read()).toBe('abc\n\ntwo  spaces \n');
    expect(await read({ timestamps: true })).toBe(
      '2026-01-02T03:04:00.500000000Z abc\n2026-01-02T03:04:00.500000000Z \n2026-01-02T03:04:00.500000000Z two  spaces \n',
    );
  });

  it('finds the last lines of a long file, and counts parts as one line', async () => {
    const lines = Array.from({ length: 5000 }, (_, index) => `${index} ${'x'.repeat(index % 300)}`);
    writeFileSync(
      path,
      lines.map((text) => line(text)).join('') + line('long', { tag: 'P' }).repeat(20_000) + line('end'),
    );
    expect(await read({ tailLines: 1 })).toBe(`${'long'.repeat(20_000)}end\n`);
    expect(await read({ tailLines: 3000 })).toBe(`${lines.slice(2001).join('\n')}\n${'long'.repeat(20_000)}end\n`);
    expect((await read({ tailLines: 100_000 })).length).toBe((await read()).length);
    expect(await read({ tailLines: 0 })).toBe('');
  });

  it('chooses by time and stream, and stops at the byte limit', async () => {
    writeFileSync(
      path,
      [1, 2, 3, 4]
        .map((second) => line(`line ${second}`, { second, stream: second % 2 ? 'stdout' : 'stderr' }))
        .join(''),
    );
    expect(await read({ since: Date.parse('2026-01-02T03:04:03Z') })).toBe('line 3\nline 4\n');
    expect(await read({ stream: 'stderr' })).toBe('line 2\nline 4\n');
    expect(await read({ limitBytes: 10 })).toBe('line 1\nlin');
  });

  it('follows through rotation until the container has ended', async () => {
    writeFileSync(path, line('one'));
    let running = true;
    let text = '';
    const followed = readLog(
      { path, running: () => running },
      { ...ALL, follow: true },
      new AbortController().signal,
      (chunk) => {
        text += chunk.toString();
      },
    );
    const until = (wanted: string) => expect.poll(() => text, { timeout: 3000 }).toBe(wanted);
    await until('one\n');
    appendFileSync(path, line('two'));
    await until('one\ntwo\n');
    appendFileSync(path, line('three'));
    renameSync(path, `${path}.20260102-030405`);
    writeFileSync(path, line('four'));
    await until('one\ntwo\nthree\nfour\n');
    appendFileSync(path, line('five'));
    running = false;
    await followed;
    expect(text).toBe('one\ntwo\nthree\nfour\nfive\n');
  });

  it('ends when the reader goes', async () => {
    writeFileSync(path, line('one'));
    const abort = new AbortController();
    const followed = readLog({ path, running: () => true }, { ...ALL, follow: true }, abort.signal, () =>
      abort.abort(),
    );
    await followed;
  });
});
