import { humanDuration } from '../../apimachinery/age.ts';
import { ageColumn, column, nameColumn, orNone } from '../columns.ts';
import type { PrinterColumn, RowCondition } from '../kind.ts';
import type { ContainerState, ContainerStatus, Pod } from '../types/core.v1.gen.ts';

export interface PodSummary {
  readonly ready: string;
  /** What `kubectl get pods` shows under STATUS. */
  readonly status: string;
  readonly restarts: number;
  /** Epoch ms of the last restart's end; NaN when there was none. */
  readonly lastRestart: number;
}

// A pure memo: three columns ask for the same summary, and pods are immutable.
const summaries = new WeakMap<Pod, PodSummary>();

/** The one-line state of a pod: ready containers, status word and restarts. */
export function summarizePod(pod: Pod): PodSummary {
  let summary = summaries.get(pod);
  if (!summary) {
    summary = computeSummary(pod);
    summaries.set(pod, summary);
  }
  return summary;
}

class RestartCount {
  count = 0;
  last = Number.NaN;

  add(status: ContainerStatus): void {
    this.count += status.restartCount ?? 0;
    const finished = Date.parse(status.lastState?.terminated?.finishedAt ?? '');
    if (!Number.isNaN(finished) && !(finished <= this.last)) this.last = finished;
  }
}

function computeSummary(pod: Pod): PodSummary {
  const spec = pod.spec;
  const status = pod.status ?? {};
  const conditions = status.conditions ?? [];
  const initContainers = spec.initContainers ?? [];
  const sidecars = new Set(initContainers.filter((c) => c.restartPolicy === 'Always').map(({ name }) => name));
  const total = (spec.containers ?? []).length + sidecars.size;
  let word = status.reason || status.phase || '';
  if (conditions.some(({ type, reason }) => type === 'PodScheduled' && reason === 'SchedulingGated'))
    word = 'SchedulingGated';

  let ready = 0;
  let restarts = new RestartCount();
  const sidecarRestarts = new RestartCount();
  let initializing = false;
  for (const [index, container] of (status.initContainerStatuses ?? []).entries()) {
    restarts.add(container);
    if (sidecars.has(container.name)) sidecarRestarts.add(container);
    const { terminated, waiting } = container.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (sidecars.has(container.name) && container.started) {
      if (container.ready) ready++;
      continue;
    }
    if (terminated) word = `Init:${terminated.reason || exitWord(terminated)}`;
    else if (waiting?.reason && waiting.reason !== 'PodInitializing') word = `Init:${waiting.reason}`;
    else word = `Init:${index}/${initContainers.length}`;
    initializing = true;
    break;
  }

  if (!initializing || conditions.some(({ type, status: value }) => type === 'Initialized' && value === 'True')) {
    restarts = sidecarRestarts;
    let running = false;
    // The first container has the last word.
    for (const container of [...(status.containerStatuses ?? [])].reverse()) {
      restarts.add(container);
      const { waiting, terminated, running: isRunning } = container.state ?? {};
      if (waiting?.reason) word = waiting.reason;
      else if (terminated) word = terminated.reason || exitWord(terminated);
      else if (container.ready && isRunning) {
        running = true;
        ready++;
      }
    }
    if (word === 'Completed' && running)
      word = conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True')
        ? 'Running'
        : 'NotReady';
  }

  if (pod.metadata.deletionTimestamp) {
    if (status.reason === 'NodeLost') word = 'Unknown';
    else if (status.phase !== 'Succeeded' && status.phase !== 'Failed') word = 'Terminating';
  }
  return { ready: `${ready}/${total}`, status: word, restarts: restarts.count, lastRestart: restarts.last };
}

function exitWord({ signal, exitCode }: NonNullable<ContainerState['terminated']>): string {
  return signal ? `Signal:${signal}` : `ExitCode:${exitCode}`;
}

export const podColumns: readonly PrinterColumn<Pod>[] = [
  nameColumn,
  column('Ready', (pod) => summarizePod(pod).ready, { description: 'Containers that are ready, of all that run' }),
  column('Status', (pod) => summarizePod(pod).status, { description: 'State of the pod and of its containers' }),
  column(
    'Restarts',
    (pod, now) => {
      const { restarts, lastRestart } = summarizePod(pod);
      return restarts === 0 || Number.isNaN(lastRestart)
        ? String(restarts)
        : `${restarts} (${humanDuration(now - lastRestart)} ago)`;
    },
    { description: 'Restarts of the containers, and the time since the last' },
  ),
  ageColumn,
  column('IP', (pod) => orNone(pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP), {
    wide: true,
    description: 'Address of the pod',
  }),
  column('Node', (pod) => orNone(pod.spec.nodeName), { wide: true, description: 'Node that the pod is bound to' }),
  column('Nominated Node', (pod) => orNone(pod.status?.nominatedNodeName), {
    wide: true,
    description: 'Node on which room is being made for the pod',
  }),
  column('Readiness Gates', readinessGates, { wide: true, description: 'Readiness gates that are open, of all' }),
];

function readinessGates(pod: Pod): string {
  const gates = pod.spec.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const open = gates.filter(({ conditionType }) =>
    pod.status?.conditions?.some(({ type, status }) => type === conditionType && status === 'True'),
  );
  return `${open.length}/${gates.length}`;
}

export function podRowConditions({ status }: Pod): readonly RowCondition[] {
  if (status?.phase === 'Succeeded')
    return [{ type: 'Completed', status: 'True', reason: 'Succeeded', message: 'The pod has completed successfully.' }];
  if (status?.phase === 'Failed')
    return [{ type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' }];
  return [];
}
