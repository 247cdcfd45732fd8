import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { ContainerError, messageOf } from '../containers/container-error.ts';
import { VolumeError } from '../volumes/volume-manager.ts';
import type { Rejection } from './pod-admission.ts';
import { withResourcesOf } from './resize.ts';

/** A pod's way on the node: it runs, its containers are ended, what it held is given back. There is no way back. */
export type PodState = 'syncing' | 'terminating' | 'terminated' | 'finished';

/** What the worker has done, one step per state. A step that rejects is tried again. */
export interface PodSteps {
  /** Resolves to true when the pod came to its end by itself. */
  sync(worker: PodWorker, signal: AbortSignal): Promise<boolean>;
  terminate(worker: PodWorker, signal: AbortSignal): Promise<void>;
  /** Gives volumes and cgroup back. Resolves to true when the pod is deleted: the API server has been told that it may go. */
  release(worker: PodWorker): Promise<boolean>;
  /** The API server has deleted it: takes the last traces away. */
  remove(worker: PodWorker): Promise<void>;
}

const RETRY_MS = 10_000;
const FAST_RETRY_MS = 1000;
const RESYNC_MS = 60_000;

/** Does one thing at a time for one pod. Whatever happens to the pod, `wake` is the answer: every step looks at all there is. */
export class PodWorker {
  readonly uid: string;
  pod: Pod;
  state: PodState = 'syncing';
  /** Why the pod ends other than by its containers or by deletion. */
  verdict: Rejection | undefined;
  /** As it was when its resources were last granted. */
  granted: Pod | undefined;
  /** Why the resources that it asks for since are not granted. */
  resizePending: Rejection | undefined;
  /** The generation whose resources were granted to running containers, which have yet to get them. */
  resizing: number | undefined;
  /** Of containers that did not start, by name. */
  readonly failures = new Map<string, ContainerError>();
  /** The pod is gone from the API server. */
  gone = false;
  /** Admitted by this kubelet, now or before its restart. */
  admitted = false;
  /** Wanted earlier than the regular resync, epoch milliseconds. */
  wakeAt: number | undefined;
  readonly #steps: PodSteps;
  readonly #logger: Logger;
  #abort = new AbortController();
  #running: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(pod: Pod, steps: PodSteps, logger: Logger) {
    this.uid = pod.metadata.uid ?? '';
    this.pod = pod;
    this.#steps = steps;
    this.#logger = logger.child({ pod: `${pod.metadata.namespace}/${pod.metadata.name}` });
  }

  /** Seconds its containers get to end. */
  get graceSeconds(): number {
    const { deletionGracePeriodSeconds, deletionTimestamp } = this.pod.metadata;
    const seconds = deletionGracePeriodSeconds ?? this.pod.spec.terminationGracePeriodSeconds ?? 30;
    // Also a forced deletion gives containers the second they need to hear of it.
    return deletionTimestamp || this.gone ? Math.max(1, seconds) : seconds;
  }

  /** The pod with the resources that it has, not those that it asks for. */
  get allocated(): Pod {
    return this.granted && this.resizePending ? withResourcesOf(this.pod, this.granted) : this.pod;
  }

  update(pod: Pod): void {
    const before = this.graceSeconds;
    const wasDeleted = this.pod.metadata.deletionTimestamp !== undefined;
    this.pod = pod;
    const isDeleted = pod.metadata.deletionTimestamp !== undefined;
    if (
      this.state === 'syncing' ? isDeleted && !wasDeleted : this.state === 'terminating' && this.graceSeconds < before
    )
      this.#interrupt();
    this.wake();
  }

  /** `pod` as it was last. */
  markGone(pod: Pod): void {
    const before = this.graceSeconds;
    this.pod = pod;
    this.gone = true;
    if (this.state === 'syncing' || (this.state === 'terminating' && this.graceSeconds < before)) this.#interrupt();
    this.wake();
  }

  /** Ends the pod with the reason as its status. */
  end(verdict: Rejection): void {
    this.verdict ??= verdict;
    if (this.state === 'syncing') this.#interrupt();
    this.wake();
  }

  wake(): void {
    if (this.#stopped) return;
    if (this.#running) {
      this.#again = true;
      return;
    }
    clearTimeout(this.#timer);
    this.#running = this.#run().finally(() => {
      this.#running = undefined;
    });
  }

  /** Resolves when no step runs any more. Containers stay as they are. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#interrupt();
    await this.#running;
  }

  #interrupt(): void {
    this.#abort.abort(new Error('the pod is to do something else'));
  }

  async #run(): Promise<void> {
    do {
      this.#again = false;
      if (this.#abort.signal.aborted && !this.#stopped) this.#abort = new AbortController();
      const { signal } = this.#abort;
      try {
        if (this.#stopped) return;
        await this.#step(signal);
        this.#schedule(RESYNC_MS * (1 + Math.random() / 2));
      } catch (error) {
        if (this.#stopped) return;
        if (signal.aborted) this.#again = true;
        else this.#retry(error);
      }
    } while (this.#again && !this.#stopped);
  }

  async #step(signal: AbortSignal): Promise<void> {
    if (this.state === 'syncing') {
      const phase = this.pod.status?.phase;
      const over =
        this.pod.metadata.deletionTimestamp || this.gone || this.verdict || phase === 'Succeeded' || phase === 'Failed';
      this.wakeAt = undefined;
      if (over || (await this.#steps.sync(this, signal))) this.state = 'terminating';
    }
    if (this.state === 'terminating') {
      await this.#steps.terminate(this, signal);
      this.state = 'terminated';
    }
    if (this.state === 'terminated') {
      if (await this.#steps.release(this)) this.state = 'finished';
    }
    if (this.state === 'finished' && this.gone) await this.#steps.remove(this);
  }

  #retry(error: unknown): void {
    const retryAt = error instanceof VolumeError || error instanceof ContainerError ? error.retryAt : undefined;
    const fast = error instanceof Error && error.name === 'NotReadyError';
    const wait =
      retryAt === undefined
        ? fast
          ? FAST_RETRY_MS
          : RETRY_MS * (0.5 + Math.random() / 2)
        : Math.max(50, retryAt - Date.now());
    if (!fast && !(error instanceof VolumeError))
      this.#logger.warn({ error: messageOf(error), state: this.state }, 'a pod could not be brought on');
    this.#schedule(this.state === 'syncing' ? wait : Math.min(wait, FAST_RETRY_MS * 2));
  }

  #schedule(ms: number): void {
    clearTimeout(this.#timer);
    if (this.#stopped || (this.state !== 'syncing' && ms > RETRY_MS)) return;
    const until = this.wakeAt === undefined ? ms : Math.min(ms, Math.max(20, this.wakeAt - Date.now()));
    this.#timer = setTimeout(() => this.wake(), until);
    this.#timer.unref();
  }
}

/** The node, not the pod, is not ready yet. */
export class NotReadyError extends Error {
  override readonly name = 'NotReadyError';
}
