import type { Container, Pod } from '../../api/types/core.v1.gen.ts';
import type { EventRecorder, EventType } from '../../client/event-recorder.ts';

/** Events about one pod, or one container of it. */
export interface PodEvents {
  normal(reason: string, message: string, container?: Pick<Container, 'name'>): void;
  warning(reason: string, message: string, container?: Pick<Container, 'name'>): void;
}

export function podEvents(recorder: EventRecorder, pod: Pod): PodEvents {
  const record = (type: EventType, reason: string, message: string, container?: Pick<Container, 'name'>) => {
    const details = container ? { fieldPath: containerFieldPath(pod, container.name) } : undefined;
    recorder.event(pod.apiVersion ? pod : { ...pod, apiVersion: 'v1', kind: 'Pod' }, type, reason, message, details);
  };
  return {
    normal: (reason, message, container) => record('Normal', reason, message, container),
    warning: (reason, message, container) => record('Warning', reason, message, container),
  };
}

function containerFieldPath(pod: Pod, name: string): string {
  for (const field of ['initContainers', 'ephemeralContainers'] as const) {
    if (pod.spec[field]?.some((container) => container.name === name)) return `spec.${field}{${name}}`;
  }
  return `spec.containers{${name}}`;
}
