import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createWorkQueue } from './work-queue.ts';

describe('work queue', () => {
  it('holds a key once, and gives a key that changed during work out again', async () => {
    const queue = createWorkQueue();
    queue.add('a');
    queue.add('a');
    queue.add('b');
    expect(queue.length).toBe(2);
    expect(await queue.next()).toBe('a');
    queue.add('a');
    expect(queue.length).toBe(1);
    expect(await queue.next()).toBe('b');
    const third = queue.next();
    queue.done('a');
    expect(await third).toBe('a');
    queue.shutDown();
    expect(await queue.next()).toBeUndefined();
  });

  it('backs a key off until it is forgotten', async () => {
    const queue = createWorkQueue({ baseDelayMs: 20 });
    const began = performance.now();
    queue.addRateLimited('a');
    await queue.next();
    queue.done('a');
    queue.addRateLimited('a');
    await queue.next();
    queue.done('a');
    expect(performance.now() - began).toBeGreaterThan(55);
    expect(queue.retries('a')).toBe(2);
    queue.forget('a');
    expect(queue.retries('a')).toBe(0);
    queue.shutDown();
  });

  it('ends waiting workers and delays at shutdown', async () => {
    const queue = createWorkQueue();
    const waiting = [queue.next(), queue.next()];
    queue.addAfter('later', 10_000);
    queue.shutDown();
    expect(await Promise.all(waiting)).toEqual([undefined, undefined]);
  });

  it('never loses a key and never has two workers on one', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.nat(4), fc.nat(2)), { maxLength: 60 }), async (steps) => {
        const queue = createWorkQueue({ baseDelayMs: 0 });
        const version = new Map<string, number>();
        const worked = new Map<string, number>();
        const active = new Set<string>();
        const worker = async () => {
          for (let key = await queue.next(); key !== undefined; key = await queue.next()) {
            expect(active.has(key)).toBe(false);
            active.add(key);
            worked.set(key, version.get(key) ?? 0);
            await Promise.resolve();
            active.delete(key);
            queue.done(key);
          }
        };
        const workers = [worker(), worker(), worker()];
        for (const [number, pauses] of steps) {
          const key = `key${number}`;
          version.set(key, (version.get(key) ?? 0) + 1);
          queue.add(key);
          for (let i = 0; i < pauses; i++) await Promise.resolve();
        }
        await new Promise((resolve) => setImmediate(resolve));
        expect(worked).toEqual(version);
        queue.shutDown();
        await Promise.all(workers);
      }),
      { numRuns: 100 },
    );
  });
});
