import type { PodInfo } from '../cache/node-info.ts';
import { currentPod } from '../cycle.ts';
import { reject, type SchedulerPlugin } from '../framework.ts';

/** Two pods can't have one host port; 0.0.0.0 stands for every address. */
export const nodePorts: SchedulerPlugin = {
  name: 'NodePorts',
  events: ['node-added', 'node-updated', 'pod-deleted'],
  filter(state, _pod, node) {
    const info: PodInfo = currentPod(state);
    if (
      info.hostPorts.length &&
      node.hostPorts.size &&
      info.hostPorts.some((port) => conflicts(port, node.hostPorts))
    ) {
      return reject('NodePorts', "node(s) didn't have free ports for the requested pod ports");
    }
  },
};

function conflicts(wanted: string, taken: ReadonlyMap<string, number>): boolean {
  const [protocol, ip, port] = wanted.split('/');
  if (taken.has(wanted) || taken.has(`${protocol}/0.0.0.0/${port}`)) return true;
  if (ip !== '0.0.0.0') return false;
  for (const other of taken.keys()) if (other.startsWith(`${protocol}/`) && other.endsWith(`/${port}`)) return true;
  return false;
}
