import { mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { writeAtomically } from './atomic-writer.ts';

const root = mkdtempSync(join(tmpdir(), 'atomic-'));
afterAll(() => rmSync(root, { recursive: true }));
const payload = (files: Record<string, string>) =>
  new Map(Object.entries(files).map(([path, text]) => [path, { data: Buffer.from(text), mode: 0o640 }]));
const read = (path: string) => readFileSync(join(root, path), 'utf8');

describe('writeAtomically', () => {
  it('links names through ..data, swaps all files at once and drops the old ones', async () => {
    expect(await writeAtomically(root, payload({ a: '1', 'dir/b': '2', 'dir/c': '3' }))).toBe(true);
    expect(readlinkSync(join(root, 'a'))).toBe('..data/a');
    expect(readlinkSync(join(root, 'dir'))).toBe('..data/dir');
    expect(read('dir/b')).toBe('2');
    expect(statSync(join(root, 'a')).mode & 0o777).toBe(0o640);
    const first = readlinkSync(join(root, '..data'));
    expect(await writeAtomically(root, payload({ a: '1', 'dir/b': '2', 'dir/c': '3' }))).toBe(false);
    expect(readlinkSync(join(root, '..data'))).toBe(first);
    expect(await writeAtomically(root, payload({ a: 'new' }))).toBe(true);
    expect(read('a')).toBe('new');
    expect(readdirSync(root).sort()).toEqual([readlinkSync(join(root, '..data')), '..data', 'a'].sort());
  });
  it('refuses paths that lead out', async () => {
    for (const path of ['../x', '/x', 'a/../../x', '..data'])
      await expect(writeAtomically(root, payload({ [path]: '' }))).rejects.toThrow('invalid path');
  });
});
