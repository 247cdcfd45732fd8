import type { ContainerStatus, Pod } from '../../api/types/core.v1.gen.ts';
import { isRestartableInit } from './restart-policy.ts';

/** The pod's phase from its containers' statuses. `terminal`: nothing of it will start again. */
export function podPhase(
  pod: Pod,
  inits: readonly ContainerStatus[],
  mains: readonly ContainerStatus[],
  terminal: boolean,
): string {
  let pendingInit = 0;
  let failedInit = 0;
  for (const container of pod.spec.initContainers ?? []) {
    const status = inits.find(({ name }) => name === container.name);
    if (!status) {
      pendingInit++;
      continue;
    }
    const { running, terminated, waiting } = status.state ?? {};
    const last = status.lastState?.terminated;
    if (isRestartableInit(container)) {
      // A sidecar counts as done once it started, whatever becomes of it.
      if (running) pendingInit += status.started ? 0 : 1;
      else if (!terminated && !last) pendingInit++;
      continue;
    }
    if (running) pendingInit++;
    else if (terminated) failedInit += terminated.exitCode === 0 ? 0 : 1;
    else if (waiting && last) {
      if (last.exitCode === 0) pendingInit++;
      else failedInit++;
    } else pendingInit++;
  }
  const policy = pod.spec.restartPolicy ?? 'Always';
  if (failedInit > 0 && policy === 'Never') return 'Failed';

  let [unknown, running, waiting, stopped, succeeded] = [0, 0, 0, 0, 0];
  for (const container of pod.spec.containers) {
    const status = mains.find(({ name }) => name === container.name);
    if (!status) unknown++;
    else if (status.state?.running) running++;
    else if (status.state?.terminated) {
      stopped++;
      if (status.state.terminated.exitCode === 0) succeeded++;
    } else if (status.lastState?.terminated) stopped++;
    else waiting++;
  }
  if (pendingInit > 0 || failedInit > 0) return 'Pending';
  if (waiting > 0) return 'Pending';
  if (running > 0 && unknown === 0) return 'Running';
  if (running === 0 && stopped > 0 && unknown === 0) {
    if (terminal) return stopped === succeeded ? 'Succeeded' : 'Failed';
    const always = pod.spec.containers.some((container) => (container.restartPolicy ?? policy) === 'Always');
    if (always) return 'Running';
    if (stopped === succeeded) return 'Succeeded';
    if (policy === 'Never' && !pod.spec.containers.some((container) => container.restartPolicy === 'OnFailure'))
      return 'Failed';
    return 'Running';
  }
  return 'Pending';
}
