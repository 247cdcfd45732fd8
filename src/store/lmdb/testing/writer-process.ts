import { writeSync } from 'node:fs';
import { openLmdbStore } from '../lmdb-store.ts';

/*
 * The child of the kill test: commits transactions of two keys without end, several at a time, and prints
 * `<n> <revision>` of each one that was acknowledged.
 */
const store = await openLmdbStore({ path: process.argv[2] as string });
const start = Number(process.argv[3]);
writeSync(1, 'ready\n');
const padding = 'x'.repeat(500);

async function writer(lane: number): Promise<void> {
  for (let n = start + lane; ; n += 8) {
    const value = Buffer.from(`${n} ${padding.repeat(n % 8)}`);
    const result = await store.commit({
      compare: [{ key: `/a/${n}`, modRevision: 0 }],
      operations: [
        { type: 'put', key: `/a/${n}`, value },
        { type: 'put', key: `/b/${n}`, value },
        { type: 'put', key: '/last', value },
      ],
    });
    writeSync(1, `${n} ${result.revision}\n`);
  }
}

await Promise.all(Array.from({ length: 8 }, (_, lane) => writer(lane)));
