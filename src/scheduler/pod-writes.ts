import type { Pod } from '../api/types/core.v1.gen.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client } from '../client/client.ts';
import type { EventRecorder } from '../client/event-recorder.ts';
import { Pods } from '../client/resource-types.gen.ts';

/** Tells on the pod why it has no node, and for which node others are being evicted. Writes only what changed. */
export async function setPodScheduledFalse(
  client: Client,
  pod: Pod,
  message: string,
  nominatedNodeName: string | undefined,
): Promise<void> {
  const known = pod.status?.conditions?.find(({ type }) => type === 'PodScheduled');
  const nominated = nominatedNodeName ?? '';
  const same =
    known?.status === 'False' && known.message === message && known.observedGeneration === pod.metadata.generation;
  if (same && (pod.status?.nominatedNodeName ?? '') === nominated) return;
  const now = new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const condition = {
    type: 'PodScheduled',
    status: 'False',
    reason: 'Unschedulable',
    message,
    lastProbeTime: null,
    lastTransitionTime: known?.status === 'False' ? known.lastTransitionTime : now,
    ...(pod.metadata.generation ? { observedGeneration: pod.metadata.generation } : {}),
  };
  const status = {
    conditions: [condition],
    ...(nominated || pod.status?.nominatedNodeName ? { nominatedNodeName: nominated || null } : {}),
  };
  await client
    .for(Pods)
    .patch(
      { name: pod.metadata.name, namespace: pod.metadata.namespace! },
      'strategic',
      { metadata: { uid: pod.metadata.uid }, status },
      { subresource: 'status' },
    );
}

/** Deletes the victims of a preemption, marked as disrupted. */
export async function evictVictims(
  client: Client,
  recorder: EventRecorder,
  {
    preemptor,
    node,
    victims,
    schedulerName,
  }: { preemptor: Pod; node: string; victims: readonly Pod[]; schedulerName: string },
): Promise<void> {
  const pods = client.for(Pods);
  for (const victim of victims) {
    const name = { name: victim.metadata.name, namespace: victim.metadata.namespace! };
    const condition = {
      type: 'DisruptionTarget',
      status: 'True',
      reason: 'PreemptionByScheduler',
      message: `${schedulerName}: preempting to accommodate a higher priority pod`,
      lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
    };
    try {
      if (!victim.metadata.deletionTimestamp) {
        await pods.patch(name, 'strategic', { status: { conditions: [condition] } }, { subresource: 'status' });
        await pods.delete(name, { preconditions: { uid: victim.metadata.uid! } });
      }
    } catch (error) {
      if (isStatusError(error, 'NotFound')) continue;
      throw error;
    }
    recorder.event(victim, 'Normal', 'Preempted', `Preempted by pod ${preemptor.metadata.uid} on node ${node}`);
  }
}
