import type { Node } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { Client } from '../../client/client.ts';
import type { Informer } from '../../client/informer.ts';
import { type NodeSummary, readSummary } from './node-summary.ts';
import type { UsageStore } from './usage.ts';

export interface CollectorOptions {
  readonly client: Client;
  readonly nodes: Informer<Node>;
  readonly usages: UsageStore;
  readonly logger: Logger;
  readonly intervalMs: number;
}

export interface Collector {
  start(): void;
  stop(): Promise<void>;
  /** Asks all kubelets once. */
  collect(): Promise<void>;
}

/** The first reading leaves the boot of a cluster its time. */
const FIRST_MS = 300;
/** Two readings make a figure: the second comes soon after the first. */
const SECOND_MS = 2_000;
const DEADLINE_MS = 10_000;
const AT_ONCE = 20;

/** Asks the kubelets of all nodes what they use, through the API server. */
export function createCollector({ client, nodes, usages, logger, intervalMs }: CollectorOptions): Collector {
  const abort = new AbortController();
  const failing = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  let rounds = 0;

  async function collectNode(name: string): Promise<void> {
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(Math.min(DEADLINE_MS, intervalMs))]);
    try {
      const { body } = await client.request<NodeSummary>({
        method: 'GET',
        path: `/api/v1/nodes/${encodeURIComponent(name)}/proxy/stats/summary`,
        signal,
      });
      usages.add(name, readSummary(body));
      failing.delete(name);
    } catch (error) {
      usages.forget(name);
      if (abort.signal.aborted || failing.has(name)) return;
      failing.add(name);
      logger.warn(
        { node: name, error: error instanceof Error ? error.message : String(error) },
        'the usage of a node could not be read',
      );
    }
  }

  async function collect(): Promise<void> {
    const names = nodes.list().map(({ metadata }) => metadata.name);
    const present = new Set(names);
    for (const name of usages.nodes()) if (!present.has(name)) usages.forget(name);
    for (const name of failing) if (!present.has(name)) failing.delete(name);
    const waiting = names[Symbol.iterator]();
    const lane = async () => {
      for (const name of waiting) {
        if (abort.signal.aborted) return;
        await collectNode(name);
      }
    };
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, names.length) }, lane));
  }

  function tick(): void {
    const begun = Date.now();
    running = collect().finally(() => {
      if (abort.signal.aborted) return;
      const wait = rounds++ === 0 ? Math.min(SECOND_MS, intervalMs) : Math.max(0, intervalMs - (Date.now() - begun));
      timer = setTimeout(tick, wait);
      timer.unref();
    });
  }

  return {
    collect,
    start() {
      timer = setTimeout(tick, Math.min(FIRST_MS, intervalMs));
      timer.unref();
    },
    async stop() {
      abort.abort();
      clearTimeout(timer);
      await running;
    },
  };
}
