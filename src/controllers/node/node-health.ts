import type { Lease } from '../../api/types/coordination.v1.gen.ts';
import type { Node, NodeCondition } from '../../api/types/core.v1.gen.ts';
import { timestamp } from '../conditions.ts';

/** What is remembered of a node between looks. Times are of this process' clock: nodes' clocks may be wrong. */
export interface NodeHealth {
  /** When a sign of life (heartbeat or lease) was last seen to change. */
  probedAt: number;
  heartbeat: string | undefined;
  renewTime: string | undefined;
}

const WATCHED = ['Ready', 'MemoryPressure', 'DiskPressure', 'PIDPressure'];

export function readyCondition(node: Node): NodeCondition | undefined {
  return node.status?.conditions?.find(({ type }) => type === 'Ready');
}

/** Takes note of signs of life. */
export function observeHealth(
  health: NodeHealth | undefined,
  node: Node,
  lease: Lease | undefined,
  now: number,
): NodeHealth {
  const heartbeat = readyCondition(node)?.lastHeartbeatTime;
  const renewTime = lease?.spec.renewTime;
  if (!health) {
    // A node that never reported has its creation to go by.
    const created = Date.parse(node.metadata.creationTimestamp ?? '');
    const probedAt = heartbeat || renewTime || Number.isNaN(created) ? now : Math.min(created, now);
    return { probedAt, heartbeat, renewTime };
  }
  if (health.heartbeat === heartbeat && health.renewTime === renewTime) return health;
  return { probedAt: now, heartbeat, renewTime };
}

/** The conditions of a node that was silent for too long. */
export function unknownConditions(node: Node, now: number): readonly NodeCondition[] {
  const time = timestamp(now);
  const conditions = [...(node.status?.conditions ?? [])];
  for (const type of WATCHED) {
    const index = conditions.findIndex((condition) => condition.type === type);
    const old = conditions[index];
    if (!old)
      conditions.push({
        type,
        status: 'Unknown',
        reason: 'NodeStatusNeverUpdated',
        message: 'Kubelet never posted node status.',
        lastHeartbeatTime: node.metadata.creationTimestamp,
        lastTransitionTime: time,
      });
    else if (old.status !== 'Unknown')
      conditions[index] = {
        ...old,
        status: 'Unknown',
        reason: 'NodeStatusUnknown',
        message: 'Kubelet stopped posting node status.',
        lastTransitionTime: time,
      };
  }
  return conditions;
}
