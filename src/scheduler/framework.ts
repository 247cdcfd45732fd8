import type { Pod } from '../api/types/core.v1.gen.ts';
import type { NodeInfo } from './cache/node-info.ts';
import type { Snapshot } from './cache/snapshot.ts';

/** Why a pod does not fit. `unresolvable`: evicting other pods would not help, so preemption skips the node. */
export interface Rejection {
  readonly reasons: readonly string[];
  readonly unresolvable: boolean;
  readonly plugin: string;
}

/** What happened in the cluster, by resource and action; decides which waiting pods are worth another try. */
export type ClusterEvent =
  | 'node-added'
  | 'node-updated'
  | 'pod-added'
  | 'pod-updated'
  | 'pod-deleted'
  | 'volume-changed'
  | 'storage-class-changed'
  | 'claim-changed';

/** Private notes of one scheduling cycle, by plugin name. */
export type CycleState = Map<string, unknown>;

/**
 * One concern of scheduling. All steps are optional; the ones before `preBind` are synchronous and must be quick, for
 * `filter` and `score` run once per node.
 */
export interface SchedulerPlugin {
  readonly name: string;
  /** Of `score`; 1 when absent. */
  readonly weight?: number;
  /** Events after which a pod that this plugin rejected may fit. */
  readonly events: readonly ClusterEvent[];
  /** Before a pod enters the queue: a text why it must wait (scheduling gates), or nothing. */
  preEnqueue?(pod: Pod): string | undefined;
  /** Once per pod: prepares `state`; a result rejects the pod on all nodes. `nodes` narrows them. */
  preFilter?(state: CycleState, pod: Pod, snapshot: Snapshot): PreFilterResult | undefined;
  filter?(state: CycleState, pod: Pod, node: NodeInfo, snapshot: Snapshot): Rejection | undefined;
  /** What-if of preemption: `pod` leaves or joins `node`. Needed by plugins whose `state` counts pods. */
  addPod?(state: CycleState, pod: Pod, other: Pod, node: NodeInfo): void;
  removePod?(state: CycleState, pod: Pod, other: Pod, node: NodeInfo): void;
  preScore?(state: CycleState, pod: Pod, nodes: readonly NodeInfo[], snapshot: Snapshot): 'skip' | undefined;
  /** From 0 to 100 after `normalize`; higher is better. */
  score?(state: CycleState, pod: Pod, node: NodeInfo, snapshot: Snapshot): number;
  normalize?(state: CycleState, pod: Pod, nodes: readonly NodeInfo[], scores: Float64Array): void;
  /** The pod will run on `node`: takes what must not be given twice. Undone by `unreserve`. */
  reserve?(state: CycleState, pod: Pod, node: NodeInfo): Rejection | undefined;
  unreserve?(state: CycleState, pod: Pod, node: NodeInfo): void;
  /** May wait for the outside world; a rejection of the promise sends the pod back to the queue. */
  preBind?(state: CycleState, pod: Pod, node: NodeInfo, signal: AbortSignal): Promise<void>;
}

export interface PreFilterResult {
  readonly reject?: Rejection;
  /** Only these nodes can work. */
  readonly nodes?: ReadonlySet<string>;
}

export const MAX_SCORE = 100;

export function reject(plugin: string, reason: string, unresolvable = false): Rejection {
  return { plugin, reasons: [reason], unresolvable };
}

/** Scales scores so that the highest becomes 100; reversed, so that the lowest does. */
export function normalizeByMax(scores: Float64Array, reverse: boolean): void {
  let max = 0;
  for (const score of scores) if (score > max) max = score;
  for (let i = 0; i < scores.length; i++) {
    if (max === 0) scores[i] = reverse ? MAX_SCORE : 0;
    else {
      const scaled = Math.floor((MAX_SCORE * scores[i]!) / max);
      scores[i] = reverse ? MAX_SCORE - scaled : scaled;
    }
  }
}
