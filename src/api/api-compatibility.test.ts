import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { builtinKinds } from './builtin.ts';

const file = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

describe('docs/api-compatibility.md', () => {
  it('is what the definitions and the recorded outcomes say', () => {
    execFileSync(process.execPath, [file('scripts/generate-api-compatibility.mjs'), '--check'], { stdio: 'pipe' });
  });

  it('tells of every stored kind of a stable version, and of no failure', () => {
    const outcomes: Record<string, Record<string, string>> = JSON.parse(
      readFileSync(file('test/interop/api-behaviours/outcomes.json'), 'utf8'),
    );
    const stored = builtinKinds()
      .filter(
        ({ group, version, virtual, verbs }) =>
          !virtual && verbs.includes('create') && /^v\d+$/.test(version) && group !== 'plugins.k8ts.dev',
      )
      .map(({ group, version, resource }) => `${group ? `${group}/` : ''}${version} ${resource}`);
    expect(Object.keys(outcomes).sort()).toEqual(stored.sort());
    expect(Object.entries(outcomes).filter(([, found]) => Object.values(found).includes('fails'))).toEqual([]);
  });
});
