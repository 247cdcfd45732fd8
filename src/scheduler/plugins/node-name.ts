import { reject, type SchedulerPlugin } from '../framework.ts';

/** A pod that names its node fits there alone. */
export const nodeName: SchedulerPlugin = {
  name: 'NodeName',
  events: ['node-added'],
  filter(_state, pod, node) {
    if (pod.spec.nodeName && pod.spec.nodeName !== node.name) {
      return reject('NodeName', "node(s) didn't match the requested node name", true);
    }
  },
};
