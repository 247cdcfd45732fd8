import type { ApiObject } from './api.ts';

/** As kubectl prints ages: the two largest units while the first is small. */
export function age(since: string | undefined, now: number): string {
  if (!since) return '-';
  const seconds = Math.max(0, Math.floor((now - Date.parse(since)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 ? `${minutes}m${seconds % 60}s` : `${minutes}m`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  if (hours < 8) return minutes % 60 ? `${hours}h${minutes % 60}m` : `${hours}h`;
  if (hours < 48) return `${hours}h`;
  const days = Math.floor(hours / 24);
  return days < 8 && hours % 24 ? `${days}d${hours % 24}h` : `${days}d`;
}

export interface PodSummary {
  readonly status: string;
  readonly ready: string;
  readonly restarts: number;
  readonly color: 'green' | 'yellow' | 'red' | 'gray' | 'blue';
}

interface ContainerStatus {
  readonly ready?: boolean;
  readonly restartCount?: number;
  readonly state?: {
    readonly waiting?: { reason?: string };
    readonly terminated?: { reason?: string; exitCode?: number };
  };
}

/** The STATUS and READY columns of `kubectl get pods`. */
export function podSummary(pod: ApiObject): PodSummary {
  const statuses: readonly ContainerStatus[] = pod.status?.containerStatuses ?? [];
  const total = pod.spec?.containers?.length ?? 0;
  const ready = statuses.filter((status) => status.ready).length;
  const restarts = statuses.reduce((sum, status) => sum + (status.restartCount ?? 0), 0);
  let status: string = pod.status?.reason || pod.status?.phase || 'Unknown';
  const init: readonly ContainerStatus[] = pod.status?.initContainerStatuses ?? [];
  const waitingInit = init.findIndex((s) => !(s.state?.terminated?.exitCode === 0) && !s.ready);
  if (waitingInit >= 0)
    status =
      init[waitingInit]?.state?.waiting?.reason && init[waitingInit]?.state?.waiting?.reason !== 'PodInitializing'
        ? `Init:${init[waitingInit]?.state?.waiting?.reason}`
        : `Init:${waitingInit}/${init.length}`;
  else {
    for (const container of statuses) {
      const reason = container.state?.waiting?.reason ?? container.state?.terminated?.reason;
      if (reason) status = reason;
    }
  }
  if (pod.metadata.deletionTimestamp) status = 'Terminating';
  const color =
    status === 'Running'
      ? ready === total
        ? 'green'
        : 'yellow'
      : status === 'Completed' || status === 'Succeeded'
        ? 'gray'
        : /^(Pending|ContainerCreating|Terminating|PodInitializing|Init:\d)/.test(status)
          ? 'yellow'
          : 'red';
  return { status, ready: `${ready}/${total}`, restarts, color };
}
