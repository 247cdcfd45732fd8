import type { SchedulerPlugin } from '../framework.ts';

/** Pods with scheduling gates wait outside of the queue until the last gate is removed. */
export const schedulingGates: SchedulerPlugin = {
  name: 'SchedulingGates',
  events: ['pod-updated'],
  preEnqueue(pod) {
    const gates = pod.spec.schedulingGates ?? [];
    if (gates.length) return `waiting for scheduling gates: [${gates.map((gate) => gate.name).join(' ')}]`;
  },
};
