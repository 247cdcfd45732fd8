import { describe, expect, it } from 'vitest';
import { CodedError } from '../../apimachinery/coded-error.ts';
import { silentLogger } from '../../apimachinery/logger.ts';
import type { Component } from './component.ts';
import { BootGraph } from './graph.ts';

const journal: string[] = [];
const part = (
  name: string,
  phase: Component['phase'],
  requires: string[] = [],
  overrides: Partial<Component> = {},
): Component => ({
  name,
  phase,
  requires,
  async start() {
    journal.push(`start ${name}`);
  },
  async stop() {
    journal.push(`stop ${name}`);
  },
  ...overrides,
});
const graphOf = (...components: Component[]) => {
  journal.length = 0;
  return new BootGraph({ components, logger: silentLogger });
};

describe('BootGraph', () => {
  it('starts after what is required and stops in reverse', async () => {
    const graph = graphOf(part('c', 2, ['a', 'b']), part('b', 1, ['a']), part('a', 1));
    await graph.start();
    expect(journal).toEqual(['start a', 'start b', 'start c']);
    expect(graph.timeline().phases.map((p) => p.ready)).toEqual([true, true, true, true, true]);
    await graph.stop();
    expect(journal.slice(3)).toEqual(['stop c', 'stop b', 'stop a']);
  });

  it('starts independent components in parallel', async () => {
    let running = 0;
    let most = 0;
    const slow = {
      start: async () => {
        most = Math.max(most, ++running);
        await new Promise((r) => setTimeout(r, 10));
        running--;
      },
    };
    await graphOf(part('a', 1, [], slow), part('b', 1, [], slow), part('c', 1, [], slow)).start();
    expect(most).toBe(3);
  });

  it('refuses unknown names, duplicates, circles and links to later phases before anything starts', () => {
    expect(() => graphOf(part('a', 1, ['x']))).toThrow('requires "x", which does not exist');
    expect(() => graphOf(part('a', 1), part('a', 1))).toThrow('two components are named "a"');
    expect(() => graphOf(part('a', 1, ['b']), part('b', 1, ['c']), part('c', 1, ['a']))).toThrow('a -> b -> c -> a');
    expect(() => graphOf(part('a', 1, ['b']), part('b', 2))).toThrow('of phase 2');
  });

  it('names the failed component, its cause and the remedy, and stops only the phases above', async () => {
    const graph = graphOf(
      part('low', 1),
      part('bad', 2, ['low'], {
        start: () => Promise.reject(new CodedError('PORT_IN_USE', 'port 80 is taken', 'free it')),
      }),
      part('above', 3, ['low']),
      part('never', 3, ['bad']),
    );
    const failure = await graph.start().catch((error) => error);
    expect(failure).toMatchObject({ code: 'PORT_IN_USE', message: 'bad: port 80 is taken', remedy: 'free it' });
    expect(journal).not.toContain('start never');
    expect(journal).not.toContain('stop low');
    expect(graph.timeline().components.find((c) => c.component === 'bad')).toMatchObject({ state: 'failed' });
    await graph.stop();
    expect(journal).toContain('stop low');
  });

  it('fails a component that misses its deadline, and aborts its signal', async () => {
    let aborted = false;
    const graph = graphOf(
      part('slow', 1, [], {
        deadlineMs: 20,
        start: ({ signal }) =>
          new Promise((_, reject) =>
            signal.addEventListener('abort', () => {
              aborted = true;
              reject(signal.reason);
            }),
          ),
      }),
    );
    await expect(graph.start()).rejects.toMatchObject({ code: 'COMPONENT_DEADLINE' });
    expect(aborted).toBe(true);
  });

  it('treats skipped as done', async () => {
    const graph = graphOf(
      part('off', 1, [], { start: async () => ({ skipped: 'not here' }) }),
      part('next', 2, ['off']),
    );
    await graph.start();
    expect(journal).toEqual(['start next']);
    expect(graph.timeline().components[0]).toMatchObject({ state: 'skipped', message: 'not here' });
  });

  it('stops cleanly while starting', async () => {
    const graph = graphOf(
      part('slow', 1, [], {
        start: ({ signal }) =>
          new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
      }),
    );
    const started = graph.start();
    await new Promise((resolve) => setImmediate(resolve));
    await graph.stop();
    await started;
    expect(journal).toEqual(['stop slow']);
  });
});
