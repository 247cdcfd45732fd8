import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import { messageOf } from '../containers/container-error.ts';
import { gracePeriodOf } from '../containers/container-labels.ts';
import { runLifecycleHandler } from '../containers/lifecycle-handler.ts';
import { untilAborted } from '../images/image-manager.ts';
import type { ContainerRuntime, RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { ignoreNotFound } from '../runtime/runtime-error.ts';
import type { PodEvents } from './pod-events.ts';
import { isRestartableInit } from './restart-policy.ts';
import { isActive, podIPsOf, type RuntimePod } from './runtime-pod.ts';

/** What a container gets after a preStop hook used its whole time up. */
const MINIMUM_GRACE_SECONDS = 2;

interface KillOptions {
  /** `Stopping container web`, or why it is replaced. */
  readonly message?: string;
  readonly graceSeconds: number;
  /** Aborted to start over with less time. */
  readonly signal: AbortSignal;
}

export interface ContainerKiller {
  kill(
    pod: Pod | undefined,
    runtime: RuntimePod,
    container: RuntimeContainerStatus,
    events: PodEvents,
    options: KillOptions,
  ): Promise<void>;
  /** Main containers first, then sidecars in reverse order, then the sandbox. `graceSeconds` of the pod when absent. */
  killPod(
    pod: Pod | undefined,
    runtime: RuntimePod,
    events: PodEvents,
    graceSeconds: number | undefined,
    signal: AbortSignal,
  ): Promise<void>;
}

export function createContainerKiller({
  runtime,
  logger,
}: {
  runtime: ContainerRuntime;
  logger: Logger;
}): ContainerKiller {
  async function kill(
    pod: Pod | undefined,
    runtimePod: RuntimePod,
    container: RuntimeContainerStatus,
    events: PodEvents,
    options: KillOptions,
  ): Promise<void> {
    const { signal } = options;
    const spec =
      pod &&
      [
        ...(pod.spec.initContainers ?? []),
        ...pod.spec.containers,
        ...((pod.spec.ephemeralContainers ?? []) as readonly Container[]),
      ].find(({ name }) => name === container.name);
    events.normal('Killing', options.message ?? `Stopping container ${container.name}`, container);
    let left = options.graceSeconds;
    const hook = spec?.lifecycle?.preStop;
    if (pod && spec && hook && left > 0 && container.state === 'running') {
      const begun = Date.now();
      await preStop(pod, spec, container.id, podIPsOf(runtimePod)[0] ?? '', left, events, signal);
      left -= Math.ceil((Date.now() - begun) / 1000);
      if (left < MINIMUM_GRACE_SECONDS) left = MINIMUM_GRACE_SECONDS;
    }
    signal.throwIfAborted();
    await untilAborted(ignoreNotFound(runtime.containers.stop(container.id, left)), signal);
  }

  async function preStop(
    pod: Pod,
    container: Container,
    id: string,
    podIP: string,
    seconds: number,
    events: PodEvents,
    signal: AbortSignal,
  ): Promise<void> {
    const hook = container.lifecycle?.preStop;
    if (!hook) return;
    const time = AbortSignal.timeout(seconds * 1000);
    try {
      const either = AbortSignal.any([time, signal]);
      await untilAborted(runLifecycleHandler(runtime.containers, pod, container, hook, id, podIP, either), either);
    } catch (error) {
      signal.throwIfAborted();
      if (time.aborted)
        logger.info(
          { pod: pod.metadata.name, container: container.name },
          'the preStop hook did not end within the grace period',
        );
      else events.warning('FailedPreStopHook', `PreStopHook failed: ${messageOf(error)}`, container);
    }
  }

  return {
    kill,
    async killPod(pod, runtimePod, events, graceSeconds, signal) {
      const active = runtimePod.containers.filter((container) => isActive(container) || container.state === 'created');
      const sidecars = (pod?.spec.initContainers ?? []).filter(isRestartableInit).map(({ name }) => name);
      const deadline = Date.now() + secondsFor(pod, active, graceSeconds) * 1000;
      const killOne = (container: RuntimeContainerStatus, seconds: number) =>
        kill(pod, runtimePod, container, events, { graceSeconds: seconds, signal });
      const mains = active.filter(({ name }) => !sidecars.includes(name));
      const failures = (
        await Promise.allSettled(
          mains.map((container) => killOne(container, secondsFor(pod, [container], graceSeconds))),
        )
      ).filter(({ status }) => status === 'rejected');
      for (const name of sidecars.reverse()) {
        const left = Math.max(MINIMUM_GRACE_SECONDS, Math.ceil((deadline - Date.now()) / 1000));
        const seconds = Math.min(left, secondsFor(pod, [], graceSeconds));
        for (const container of active.filter((one) => one.name === name)) await killOne(container, seconds);
      }
      signal.throwIfAborted();
      for (const failure of failures) throw (failure as PromiseRejectedResult).reason;
      for (const sandbox of runtimePod.sandboxes) {
        if (sandbox.state === 'ready') await untilAborted(ignoreNotFound(runtime.sandboxes.stop(sandbox.id)), signal);
      }
    },
  };
}

function secondsFor(
  pod: Pod | undefined,
  containers: readonly RuntimeContainerStatus[],
  graceSeconds: number | undefined,
): number {
  if (graceSeconds !== undefined) return graceSeconds;
  if (pod) return pod.metadata.deletionGracePeriodSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 30;
  return Math.max(0, ...containers.map(gracePeriodOf));
}
