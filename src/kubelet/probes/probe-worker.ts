import type { Container, Pod, Probe } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { messageOf } from '../containers/container-error.ts';
import type { PodEvents } from '../pods/pod-events.ts';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import type { ProbeKind, ProbeResult } from './probe-result.ts';
import type { ProbeOutcome } from './prober.ts';

export interface ProbeWorkerOptions {
  readonly pod: Pod;
  readonly container: Container;
  readonly kind: ProbeKind;
  readonly probe: Probe;
  readonly events: PodEvents;
  readonly logger: Logger;
  readonly now: () => number;
  /** The container as the runtime has it, and the pod's address. */
  current(): {
    readonly status: RuntimeContainerStatus | undefined;
    readonly podIP: string;
    readonly terminating: boolean;
  };
  /** Whether the startup probe, if any, has succeeded. */
  started(containerId: string): boolean;
  run(containerId: string, podIP: string): Promise<ProbeOutcome>;
  /** Called for every change of the result, also to the first one of a container. */
  onResult(containerId: string, result: ProbeResult): void;
}

export interface ProbeWorker {
  readonly kind: ProbeKind;
  result(containerId: string): ProbeResult | undefined;
  /** Runs the probe now instead of at the end of its period. */
  poke(): void;
  stop(): void;
}

const ATTEMPTS = 3;
const FIRST_RESULT: Readonly<Record<ProbeKind, ProbeResult>> = {
  startup: 'unknown',
  liveness: 'success',
  readiness: 'failure',
};

/** One probe of one container, over all restarts of it. */
export function startProbeWorker(options: ProbeWorkerOptions): ProbeWorker {
  const { kind, probe, container, events } = options;
  const periodMs = (probe.periodSeconds ?? 10) * 1000;
  let containerId = '';
  let result: ProbeResult | undefined;
  /** A liveness or startup probe that failed waits for its container to be replaced. */
  let onHold = false;
  let last: ProbeResult | undefined;
  let runs = 0;
  let stopped = false;
  let busy = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;

  const set = (next: ProbeResult) => {
    if (result === next) return;
    result = next;
    options.onResult(containerId, next);
  };

  async function probeOnce(): Promise<void> {
    const { status, podIP, terminating } = options.current();
    if (!status) return;
    if (status.id !== containerId) {
      containerId = status.id;
      result = undefined;
      onHold = false;
      runs = 0;
      last = undefined;
      set(FIRST_RESULT[kind]);
    }
    if (onHold) return;
    if (terminating && kind !== 'readiness') {
      set('success');
      return stop();
    }
    if (status.state !== 'running') {
      if (status.state === 'exited') set(kind === 'liveness' ? 'success' : 'failure');
      return;
    }
    if ((options.now() - status.startedAt) / 1000 < (probe.initialDelaySeconds ?? 0)) return;
    const started = options.started(containerId);
    if (kind === 'startup' ? started : !started) return;
    const outcome = await attempt(podIP);
    if (stopped || containerId !== status.id) return;
    const current: ProbeResult = outcome.result === 'failure' ? 'failure' : 'success';
    if (current === last) runs++;
    else {
      last = current;
      runs = 1;
    }
    const threshold = current === 'failure' ? (probe.failureThreshold ?? 3) : (probe.successThreshold ?? 1);
    if (runs < threshold) return;
    set(current);
    if (kind !== 'readiness' && current === 'failure') {
      onHold = true;
      runs = 0;
    }
  }

  async function attempt(podIP: string): Promise<ProbeOutcome> {
    const name = `${kind[0]?.toUpperCase()}${kind.slice(1)}`;
    let failure: unknown;
    for (let i = 0; i < ATTEMPTS; i++) {
      try {
        const outcome = await options.run(containerId, podIP);
        if (outcome.result === 'failure')
          events.warning('Unhealthy', `${name} probe failed: ${outcome.output}`, container);
        if (outcome.result === 'warning')
          events.warning('ProbeWarning', `${name} probe warning: ${outcome.output}`, container);
        return outcome;
      } catch (error) {
        failure = error;
        if (stopped) break;
      }
    }
    if (!stopped)
      events.warning(
        'Unhealthy',
        `${name} probe errored and resulted in unknown state: ${messageOf(failure)}`,
        container,
      );
    return { result: 'failure', output: messageOf(failure) };
  }

  async function tick(): Promise<void> {
    if (busy) {
      again = true;
      return;
    }
    clearTimeout(timer);
    busy = true;
    const begun = options.now();
    try {
      do {
        again = false;
        await probeOnce();
      } while (again && !stopped);
    } catch (error) {
      options.logger.warn({ error: messageOf(error), container: container.name, probe: kind }, 'a probe worker failed');
    } finally {
      busy = false;
    }
    if (!stopped) schedule(Math.max(10, periodMs - (options.now() - begun)));
  }

  function schedule(ms: number): void {
    timer = setTimeout(() => void tick(), ms);
    timer.unref();
  }

  function stop(): void {
    stopped = true;
    clearTimeout(timer);
  }

  schedule(0);
  return {
    kind,
    result: (id) => (id === containerId ? result : undefined),
    poke() {
      if (!stopped && !onHold) void tick();
    },
    stop,
  };
}
