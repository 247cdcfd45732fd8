import { tolerates } from '../../api/core/tolerations.ts';
import { reject, type SchedulerPlugin } from '../framework.ts';

const TAINT = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** Keeps pods off cordoned nodes. */
export const nodeUnschedulable: SchedulerPlugin = {
  name: 'NodeUnschedulable',
  events: ['node-added', 'node-updated'],
  filter(_state, pod, node) {
    if (!node.node.spec?.unschedulable) return;
    if (pod.spec.tolerations?.some((toleration) => tolerates(toleration, TAINT))) return;
    return reject('NodeUnschedulable', 'node(s) were unschedulable', true);
  },
};
