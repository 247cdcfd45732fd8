import { setTimeout as sleep } from 'node:timers/promises';
import type { CodedError } from '../../apimachinery/coded-error.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import {
  type Component,
  type ComponentState,
  PHASES,
  type Phase,
  type Timeline,
  type TimelineEntry,
} from './component.ts';
import { componentFailure, missedDeadline } from './component-failure.ts';
import { checkLinks } from './links.ts';

const DEFAULT_DEADLINE_MS = 30_000;
/** How long `stop` waits for a `start` that was aborted. */
const SETTLE_MS = 5_000;

export interface GraphOptions {
  readonly components: readonly Component[];
  readonly logger: Logger;
  /** Called after every change of a component's state, with the whole record. */
  onChange?(timeline: Timeline): void;
}

interface Node {
  readonly component: Component;
  state: ComponentState;
  startedAt?: number;
  readyAt?: number;
  /** `start` as the component runs it: may go on after its deadline or the end of the boot. */
  running?: Promise<unknown>;
  message?: string;
  stopped?: boolean;
  /** Settles when the component is ready, skipped or failed; never rejects. */
  settled?: Promise<void>;
}

/**
 * The boot graph: starts every component as soon as what it requires is ready, all in parallel, and stops in reverse.
 * One failure stops the components of the phases above it; those below stay up until `stop`.
 */
export class BootGraph {
  readonly #nodes = new Map<string, Node>();
  readonly #options: GraphOptions;
  readonly #abort = new AbortController();
  /** In the order in which they were started; stopping goes backwards. */
  readonly #started: Node[] = [];
  #startedAt = 0;
  #failure: CodedError | undefined;
  #stopping: Promise<void> | undefined;

  /** Throws CodedError for unknown names, duplicates and circles. */
  constructor(options: GraphOptions) {
    checkLinks(options.components);
    this.#options = options;
    for (const component of options.components) this.#nodes.set(component.name, { component, state: 'waiting' });
  }

  /** Resolves when every component is ready or skipped; throws the first failure's CodedError. */
  async start(): Promise<void> {
    this.#startedAt = Date.now();
    await Promise.all([...this.#nodes.values()].map((node) => this.#startNode(node)));
    if (this.#failure) {
      await this.#stopAbove(this.#failedPhase());
      throw this.#failure;
    }
  }

  /** Stops everything that was started, last first; never throws. Safe to call twice and during `start`. */
  stop(): Promise<void> {
    this.#stopping ??= (async () => {
      this.#abort.abort(new Error('the cluster is stopping'));
      await Promise.all(this.#started.map((node) => node.settled));
      for (const node of [...this.#started].reverse()) await this.#stopNode(node);
    })();
    return this.#stopping;
  }

  timeline(): Timeline {
    const nodes = [...this.#nodes.values()];
    const components = nodes.map(entryOf);
    let below = true;
    let latest = this.#startedAt;
    const phases = ([1, 2, 3, 4, 5] as const).map((phase) => {
      const members = nodes.filter((node) => node.component.phase === phase);
      below = below && members.every(isUp);
      latest = Math.max(latest, ...members.map((node) => node.readyAt ?? 0));
      const ready = below && this.#startedAt > 0;
      return { phase, name: PHASES[phase], ready, ...(ready ? { ms: Math.round(latest - this.#startedAt) } : {}) };
    });
    return { startedAt: this.#startedAt, phases, components };
  }

  #startNode(node: Node): Promise<void> {
    node.settled ??= (async () => {
      await Promise.all(node.component.requires.map((name) => this.#startNode(this.#nodes.get(name)!)));
      if (this.#failure || this.#abort.signal.aborted) return;
      await this.#runStart(node);
    })();
    return node.settled;
  }

  async #runStart(node: Node): Promise<void> {
    const { component } = node;
    const deadlineMs = component.deadlineMs ?? DEFAULT_DEADLINE_MS;
    const deadline = AbortSignal.timeout(deadlineMs);
    const signal = AbortSignal.any([this.#abort.signal, deadline]);
    node.startedAt = Date.now();
    this.#started.push(node);
    this.#setState(node, 'starting');
    try {
      const logger = this.#options.logger.child({ component: component.name });
      const running = component.start({ signal, logger });
      node.running = running;
      const result = await abortable(running, signal);
      node.readyAt = Date.now();
      if (result) this.#setState(node, 'skipped', result.skipped);
      else this.#setState(node, 'ready');
    } catch (cause) {
      if (this.#abort.signal.aborted && !deadline.aborted) {
        this.#setState(node, 'stopping', 'stopped before it was ready');
        return;
      }
      const failure = deadline.aborted
        ? missedDeadline(component.name, deadlineMs, cause)
        : componentFailure(component.name, cause);
      this.#options.logger.error({ component: component.name, err: cause }, failure.message);
      this.#setState(node, 'failed', failure.message);
      if (!this.#failure) {
        this.#failure = failure;
        this.#abort.abort(failure);
      }
    }
  }

  #failedPhase(): Phase {
    const failed = [...this.#nodes.values()].filter((node) => node.state === 'failed');
    return Math.min(...failed.map((node) => node.component.phase)) as Phase;
  }

  async #stopAbove(phase: Phase): Promise<void> {
    for (const node of [...this.#started].reverse()) {
      if (node.component.phase > phase || !isUp(node)) await this.#stopNode(node);
    }
  }

  async #stopNode(node: Node): Promise<void> {
    if (node.stopped) return;
    node.stopped = true;
    const failed = node.state === 'failed';
    if (!failed) this.#setState(node, 'stopping', node.message);
    // What `start` still makes has to be there before `stop` can take it away.
    await Promise.race([node.running?.catch(() => {}), sleep(SETTLE_MS, undefined, { ref: false })]);
    try {
      await node.component.stop?.();
    } catch (error) {
      this.#options.logger.error({ component: node.component.name, err: error }, 'stopping failed');
    }
    if (!failed) this.#setState(node, 'stopped', node.message);
  }

  #setState(node: Node, state: ComponentState, message?: string): void {
    node.state = state;
    if (message === undefined) delete node.message;
    else node.message = message;
    this.#options.onChange?.(this.timeline());
  }
}

const isUp = (node: Node) => node.state === 'ready' || node.state === 'skipped';

function entryOf(node: Node): TimelineEntry {
  const { component, state, startedAt, readyAt, message } = node;
  return {
    component: component.name,
    phase: component.phase,
    state,
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(readyAt === undefined || startedAt === undefined ? {} : { readyAt, ms: readyAt - startedAt }),
    ...(message === undefined ? {} : { message }),
  };
}

async function abortable<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let onAbort = () => {};
  const aborted = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort, { once: true });
  });
  work.catch(() => {}); // its outcome no longer matters once the signal has won
  try {
    return await Promise.race([work, aborted]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
