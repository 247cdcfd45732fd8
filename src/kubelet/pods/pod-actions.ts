import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import { containerHash, hashOf } from '../containers/container-labels.ts';
import type { ProbeResult } from '../probes/probe-result.ts';
import type { RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { isRestartableInit, restartsOnFailure, shouldRestart } from './restart-policy.ts';
import { findContainer, type RuntimePod } from './runtime-pod.ts';

export interface ContainerKill {
  readonly container: Container;
  readonly id: string;
  readonly message: string;
  readonly reason: 'Changed' | 'Resize' | 'LivenessProbe' | 'StartupProbe' | 'Unknown';
}

/** What a sync has to do, in this order. */
export interface PodActions {
  /** All containers and the sandbox: because a new sandbox is due, or the pod is done. */
  readonly killPod: boolean;
  readonly createSandbox: boolean;
  /** Of the sandbox to create. */
  readonly attempt: number;
  /** Of the sandbox that stays. */
  readonly sandboxId: string | undefined;
  readonly kill: readonly ContainerKill[];
  readonly startEphemeral: readonly Container[];
  readonly startInit: readonly Container[];
  readonly start: readonly Container[];
}

export interface ProbeResults {
  liveness(containerId: string): ProbeResult | undefined;
  startup(containerId: string): ProbeResult | undefined;
}

type Draft<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer U)[] ? U[] : T[K] };

/** The difference between what the pod's spec asks for and what the runtime has. Pure. `resized` need a new start for it. */
export function podActions(
  pod: Pod,
  runtime: RuntimePod,
  probes: ProbeResults,
  resized: ReadonlySet<string> = new Set(),
): PodActions {
  const sandbox = sandboxDecision(pod, runtime);
  const actions: Draft<PodActions> = {
    killPod: sandbox.create,
    createSandbox: sandbox.create,
    attempt: sandbox.attempt,
    sandboxId: sandbox.id,
    kill: [],
    startEphemeral: [],
    startInit: [],
    start: [],
  };
  const inits = pod.spec.initContainers ?? [];
  if (sandbox.create) {
    // A pod that may not restart is not run twice because its sandbox went away.
    if (!restartsOnFailure(pod) && sandbox.attempt !== 0 && runtime.containers.length > 0) {
      actions.createSandbox = false;
      return actions;
    }
    const due = pod.spec.containers.filter((container) => {
      const status = findContainer(runtime, container.name);
      return !(pod.spec.restartPolicy === 'OnFailure' && status?.state === 'exited' && status.exitCode === 0);
    });
    if (due.length === 0 && initsDone(pod, runtime)) {
      actions.createSandbox = false;
      return actions;
    }
    if (inits[0]) actions.startInit.push(inits[0]);
    else actions.start.push(...due);
    return actions;
  }
  for (const container of (pod.spec.ephemeralContainers ?? []) as readonly Container[]) {
    if (!findContainer(runtime, container.name)) actions.startEphemeral.push(container);
  }
  const initialized = initActions(pod, runtime, probes, resized, actions);
  if (actions.killPod || !initialized) return actions;

  let kept = 0;
  for (const container of pod.spec.containers) {
    const status = findContainer(runtime, container.name);
    if (status?.state !== 'running') {
      if (shouldRestart(pod, container, status)) {
        if (status?.state === 'unknown') {
          actions.kill.push({
            container,
            id: status.id,
            reason: 'Unknown',
            message: `Container is in "unknown" state, try killing it before restart`,
          });
        }
        actions.start.push(container);
      }
      continue;
    }
    const failure = runningFailure(container, status, probes, resized);
    if (!failure) {
      kept++;
      continue;
    }
    const wanted = failure.reason === 'Changed' || failure.reason === 'Resize';
    const restarts = wanted || restartsAfterKill(pod, container);
    actions.kill.push({ ...failure, message: restarts ? `${failure.message}, will be restarted` : failure.message });
    if (restarts) actions.start.push(container);
  }
  if (kept === 0 && actions.start.length === 0) {
    actions.killPod = true;
    actions.startInit = [];
    actions.startEphemeral = [];
  }
  return actions;
}

function sandboxDecision(pod: Pod, runtime: RuntimePod): { create: boolean; attempt: number; id: string | undefined } {
  const newest = runtime.sandboxes[0];
  if (!newest) return { create: true, attempt: 0, id: undefined };
  const ready = runtime.sandboxes.filter(({ state }) => state === 'ready').length;
  const again = { create: true, attempt: newest.metadata.attempt + 1, id: newest.id };
  if (ready > 1 || newest.state !== 'ready') return again;
  if (!pod.spec.hostNetwork && newest.ips.length === 0) return again;
  return { create: false, attempt: newest.metadata.attempt, id: newest.id };
}

/** Whether the last init container came to its good end. */
function initsDone(pod: Pod, runtime: RuntimePod): boolean {
  const last = pod.spec.initContainers?.at(-1);
  if (!last) return true;
  if (isRestartableInit(last)) return true;
  const status = findContainer(runtime, last.name);
  return status?.state === 'exited' && status.exitCode === 0;
}

function restartsAfterKill(pod: Pod, container: Container): boolean {
  return (container.restartPolicy ?? pod.spec.restartPolicy ?? 'Always') !== 'Never';
}

function runningFailure(
  container: Container,
  status: RuntimeContainerStatus,
  probes: ProbeResults,
  resized: ReadonlySet<string>,
): ContainerKill | undefined {
  if (hashOf(status) !== undefined && hashOf(status) !== containerHash(container)) {
    return { container, id: status.id, reason: 'Changed', message: `Container ${container.name} definition changed` };
  }
  if (resized.has(status.id))
    return {
      container,
      id: status.id,
      reason: 'Resize',
      message: `Container ${container.name} resize requires restart`,
    };
  if (probes.liveness(status.id) === 'failure') {
    return {
      container,
      id: status.id,
      reason: 'LivenessProbe',
      message: `Container ${container.name} failed liveness probe`,
    };
  }
  if (probes.startup(status.id) === 'failure') {
    return {
      container,
      id: status.id,
      reason: 'StartupProbe',
      message: `Container ${container.name} failed startup probe`,
    };
  }
  return undefined;
}

/**
 * Starts init containers one after the other and keeps sidecars running. Looks from the last one back, since finished ones
 * may have been cleaned away already. Returns whether main containers may run.
 */
function initActions(
  pod: Pod,
  runtime: RuntimePod,
  probes: ProbeResults,
  resized: ReadonlySet<string>,
  actions: Draft<PodActions>,
): boolean {
  const inits = pod.spec.initContainers ?? [];
  if (inits.length === 0) return true;
  const sandboxId = runtime.sandboxes[0]?.id;
  // A main container in the present sandbox proves that all init containers ran there.
  let initialized = pod.spec.containers.some(
    ({ name }) => findContainer(runtime, name)?.sandboxId === sandboxId && findContainer(runtime, name) !== undefined,
  );
  let frontier = initialized;
  for (let i = inits.length - 1; i >= 0; i--) {
    const container = inits[i] as Container;
    const found = findContainer(runtime, container.name);
    // What ended with an earlier sandbox has to run again in this one.
    const status = found && found.sandboxId === sandboxId ? found : undefined;
    const sidecar = isRestartableInit(container);
    if (!status) {
      if (frontier && sidecar) actions.startInit.push(container);
      continue;
    }
    if (frontier && !sidecar) continue;
    const next = inits[i + 1];
    switch (status.state) {
      case 'created':
        actions.startInit.push(container);
        break;
      case 'running': {
        if (!sidecar) break;
        const failure = runningFailure(container, status, probes, resized);
        if (failure) {
          actions.kill.push({ ...failure, message: `Init container ${failure.message.replace(/^Container /, '')}` });
          actions.startInit.push(container);
          break;
        }
        const started = !container.startupProbe || probes.startup(status.id) === 'success';
        if (started && !frontier) {
          if (next) actions.startInit.push(next);
          else initialized = true;
        }
        break;
      }
      case 'exited':
        if (sidecar) actions.startInit.push(container);
        else if (status.exitCode === 0) {
          if (next) actions.startInit.push(next);
          else initialized = true;
        } else if (shouldRestart(pod, container, status)) actions.startInit.push(container);
        else {
          actions.killPod = true;
          actions.startInit = [];
          actions.kill = [];
          return false;
        }
        break;
      case 'unknown':
        actions.kill.push({
          container,
          id: status.id,
          reason: 'Unknown',
          message: `Init container is in "unknown" state, try killing it before restart`,
        });
        actions.startInit.push(container);
        break;
    }
    frontier = true;
  }
  if (!frontier && inits[0]) actions.startInit.push(inits[0]);
  actions.startInit.reverse();
  return initialized;
}
