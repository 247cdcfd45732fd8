import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ConfigMap } from '../api/types/core.v1.gen.ts';
import type { WatchEvent } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { ResourceClient } from '../client/client.ts';
import { ConfigMaps } from '../client/resource-types.gen.ts';
import { startTestApiServer, type TestApiServer } from './testing.ts';

const namespace = 'default';

interface Step {
  readonly name: number;
  readonly what: 'put' | 'put' | 'delete' | 'select' | 'unselect';
}

/** A watcher that drops after so many events, and goes on from the last one that it saw. */
class Resuming {
  readonly seen: WatchEvent<ConfigMap>[] = [];
  #revision: string;
  #stop: () => void = () => {};
  #ended = false;
  readonly #configs: ResourceClient<ConfigMap>;
  readonly #drop: number;
  readonly #selector: string | undefined;

  constructor(configs: ResourceClient<ConfigMap>, revision: string, drop: number, selector?: string) {
    this.#configs = configs;
    this.#revision = revision;
    this.#drop = drop;
    this.#selector = selector;
    this.#watch();
  }

  #watch(): void {
    if (this.#ended) return;
    let left = this.#drop;
    const stream = this.#configs.watch(
      {
        namespace,
        resourceVersion: this.#revision,
        allowWatchBookmarks: true,
        ...(this.#selector ? { labelSelector: this.#selector } : {}),
      },
      (events) => {
        for (const event of events) {
          if (left <= 0) break;
          this.#revision = event.object.metadata.resourceVersion!;
          if (event.type !== 'BOOKMARK') this.seen.push(event);
          left--;
        }
        if (left > 0) return;
        stream.stop();
        setImmediate(() => this.#watch());
      },
    );
    stream.done.catch(() => undefined);
    this.#stop = () => stream.stop();
  }

  stop(): void {
    this.#ended = true;
    this.#stop();
  }

  /** `TYPE name revision`. */
  get lines(): string[] {
    return this.seen.map(({ type, object: { metadata } }) => `${type} ${metadata.name} ${metadata.resourceVersion}`);
  }
}

describe('the history that watchers see', () => {
  let test: TestApiServer;
  let configs: ResourceClient<ConfigMap>;
  beforeAll(async () => {
    test = await startTestApiServer();
    configs = test.client.for(ConfigMaps);
  });
  afterAll(() => test.stop());

  async function act({ name, what }: Step, value: string): Promise<void> {
    const at = { namespace, name: `n${name}` };
    const labels = what === 'select' ? { chosen: 'yes' } : { chosen: null };
    try {
      if (what === 'delete') await configs.delete(at);
      else if (what === 'put') await configs.patch(at, 'merge', { data: { value } });
      else await configs.patch(at, 'merge', { metadata: { labels }, data: { value } });
    } catch (error) {
      if (!isStatusError(error, 'NotFound') || what === 'delete') return;
      const metadata = { ...at, ...(what === 'select' ? { labels: { chosen: 'yes' } } : {}) };
      await configs.create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value } }).catch(() => undefined);
    }
  }

  it('has no gap and no repeat, however often they drop and resume', async () => {
    const step = fc.record<Step>({
      name: fc.nat(5),
      what: fc.constantFrom('put', 'put', 'delete', 'select', 'unselect'),
    });
    const writers = fc.array(fc.array(step, { minLength: 5, maxLength: 25 }), { minLength: 2, maxLength: 4 });
    const drops = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 3, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(writers, drops, async (work, dropping) => {
        const start = (await configs.list({ namespace })).metadata.resourceVersion!;
        const before = (await configs.list({ namespace, resourceVersion: start, resourceVersionMatch: 'Exact' })).items;
        const complete = new Resuming(configs, start, Number.POSITIVE_INFINITY);
        const resuming = dropping.map((drop) => new Resuming(configs, start, drop));
        const selecting = dropping.map((drop) => new Resuming(configs, start, drop, 'chosen=yes'));
        await Promise.all(
          work.map(async (steps, writer) => {
            for (const [index, next] of steps.entries()) await act(next, `${writer}.${index}`);
          }),
        );
        const last = await configs.create({
          apiVersion: 'v1',
          kind: 'ConfigMap',
          metadata: { generateName: 'last-', namespace, labels: { chosen: 'yes' } },
        } as never);
        const all = [complete, ...resuming, ...selecting];
        await expect
          .poll(() => all.every(({ seen }) => seen.at(-1)?.object.metadata.name === last.metadata.name), {
            interval: 5,
          })
          .toBe(true);
        for (const watcher of all) watcher.stop();
        for (const watcher of resuming) expect(watcher.lines).toEqual(complete.lines);
        for (const watcher of selecting) expect(watcher.lines).toEqual(chosen(before, complete.seen));
        // Played back, it is what is there.
        const state = new Map(before.map(({ metadata }) => [metadata.name, metadata.resourceVersion]));
        for (const { type, object } of complete.seen)
          if (type === 'DELETED') state.delete(object.metadata.name);
          else state.set(object.metadata.name, object.metadata.resourceVersion);
        const now = (await configs.list({ namespace })).items;
        expect([...state].sort()).toEqual(now.map(({ metadata }) => [metadata.name, metadata.resourceVersion]).sort());
        await configs.deleteCollection({ namespace });
      }),
      { numRuns: 12, seed: 20_260_101 },
    );
  }, 30_000);
});

/** What a watcher of `chosen=yes` is to see of all events: who comes into the selection is ADDED, who leaves it DELETED. */
function chosen(before: readonly ConfigMap[], events: readonly WatchEvent<ConfigMap>[]): string[] {
  const isChosen = ({ metadata }: ConfigMap) => metadata.labels?.chosen === 'yes';
  const inside = new Set(before.filter(isChosen).map(({ metadata }) => metadata.name));
  const lines: string[] = [];
  for (const { type, object } of events) {
    const { name, resourceVersion } = object.metadata;
    const was = inside.has(name);
    const is = type !== 'DELETED' && isChosen(object);
    if (is) inside.add(name);
    else inside.delete(name);
    if (was || is) lines.push(`${is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED'} ${name} ${resourceVersion}`);
  }
  return lines;
}
