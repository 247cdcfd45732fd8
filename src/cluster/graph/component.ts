import type { Logger } from '../../apimachinery/logger.ts';

/** The five phases of DESIGN: control plane, kubelet, kube-proxy, add-ons, ready. */
export type Phase = 1 | 2 | 3 | 4 | 5;

export const PHASES: Readonly<Record<Phase, string>> = {
  1: 'control plane',
  2: 'kubelet',
  3: 'kube-proxy',
  4: 'add-ons',
  5: 'ready',
};

/**
 * A part of the cluster with a life: started once when all it requires is ready, stopped in reverse order.
 * Links are names; a name nobody carries and a circle are refused before anything starts.
 */
export interface Component {
  readonly name: string;
  readonly phase: Phase;
  readonly requires: readonly string[];
  /** From start to ready; 30,000 when absent. */
  readonly deadlineMs?: number;
  /** Resolves when the component is ready. A `Skipped` result is not a failure: whoever requires it starts all the same. */
  start(context: StartContext): Promise<Skipped | undefined | void>;
  /** Called if `start` was called, also after a failed start. Leaves nothing behind. */
  stop?(): Promise<void>;
}

export interface StartContext {
  /** Aborted when the boot fails elsewhere, the deadline passes or the cluster stops. */
  readonly signal: AbortSignal;
  readonly logger: Logger;
}

export interface Skipped {
  /** Why it does not run here, one sentence. */
  readonly skipped: string;
}

export type ComponentState = 'waiting' | 'starting' | 'ready' | 'skipped' | 'failed' | 'stopping' | 'stopped';

/** One line of the boot's record. Times are epoch milliseconds. */
export interface TimelineEntry {
  readonly component: string;
  readonly phase: Phase;
  readonly state: ComponentState;
  readonly startedAt?: number;
  readonly readyAt?: number;
  /** From start to ready. */
  readonly ms?: number;
  /** Why it is skipped or how it failed. */
  readonly message?: string;
}

export interface PhaseEntry {
  readonly phase: Phase;
  readonly name: string;
  readonly ready: boolean;
  /** From the boot's begin until the phase, and all below it, held. */
  readonly ms?: number;
}

export interface Timeline {
  readonly startedAt: number;
  readonly phases: readonly PhaseEntry[];
  readonly components: readonly TimelineEntry[];
}
