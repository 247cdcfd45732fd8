import type { DaemonSet, DaemonSetStatus } from '../../../api/types/apps.v1.gen.ts';
import type { Node, Pod } from '../../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { ControllerRevisions, DaemonSets, Nodes, Pods } from '../../../client/resource-types.gen.ts';
import { isPodAvailable, isPodReady, isPodTerminal } from '../../pod-state.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  createOwnWrites,
  defineController,
  noteGone,
  watch,
} from '../../runtime/index.ts';
import { inParallel, slowStart } from '../batches.ts';
import { syncHistory, truncateHistory } from '../controller-history.ts';
import { adopters, BY_CONTROLLER, claim } from '../ownership.ts';
import { nextAvailability } from '../pod-availability.ts';
import { PodControl } from '../pod-control.ts';
import { canonical } from '../template-hash.ts';
import { byAge, daemonPod, isUpdated, nodeVerdicts, REVISION_HASH, targetNode } from './daemon-pods.ts';
import { createFailedPodBackoff } from './failed-pod-backoff.ts';
import { type DaemonState, type PodChanges, place } from './placement.ts';
import { rollingLimits, rollingUpdate } from './rolling-update.ts';

/** At most so many pods are made or deleted in one go. */
const BURST = 250;
const OWN_WRITES_MS = 5_000;

/** Keeps one pod on every node that fits. */
export function daemonSetController(): ControllerDefinition {
  return defineController({
    name: 'daemonset-controller',
    concurrency: 2,
    setup(context) {
      const daemonSets = context.informer(DaemonSets);
      const nodes = context.informer(Nodes);
      const pods = context.informer(Pods);
      const writes = createOwnWrites(pods);
      const revisionWrites = createOwnWrites(context.informer(ControllerRevisions));
      const control = new PodControl(context, writes);
      const backoff = createFailedPodBackoff();
      const selectorOf = (daemonSet: DaemonSet) => daemonSet.spec.selector;
      const indexes = { [BY_CONTROLLER]: byControllerUid };
      return {
        watches: [
          watch(DaemonSets),
          watch(Pods, { ownedBy: DaemonSets, indexes, observe: noteGone(writes) }),
          watch(Pods, { keys: (pod) => adopters(daemonSets, pod, selectorOf) }),
          watch(ControllerRevisions, { ownedBy: DaemonSets, indexes, observe: noteGone(revisionWrites) }),
          watch(ControllerRevisions, { keys: (revision) => adopters(daemonSets, revision, selectorOf) }),
          watch(Nodes, {
            when: ({ object, old }) => !old || matters(object) !== matters(old),
            keys: () => daemonSets.list().map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
          }),
        ],
        async reconcile({ key }) {
          const daemonSet = daemonSets.get(key);
          if (!daemonSet) {
            writes.forget(key);
            revisionWrites.forget(key);
            return;
          }
          if (matchesEverything(daemonSet)) {
            const message = 'This daemon set is selecting all pods. A non-empty selector is required.';
            context.events.event(daemonSet, 'Warning', 'SelectingAll', message);
            return;
          }
          if (daemonSet.metadata.deletionTimestamp) return;
          if (writes.pending(key) || revisionWrites.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          const owner = { owner: daemonSet, ownerType: DaemonSets };
          const history = await syncHistory(context, {
            ...owner,
            hashLabel: REVISION_HASH,
            writes: revisionWrites,
            key,
          });
          const claimed = await claim(context, { ...owner, selector: daemonSet.spec.selector, informer: pods });
          const hash = history.current.metadata.labels?.[REVISION_HASH] ?? '';
          const state = stateOf(daemonSet, key, hash, nodes.list(), claimed);
          const { maxUnavailable } = rollingLimits(daemonSet, desiredOf(state));
          const apply = (changes: PodChanges) => applyChanges(control, state, changes);
          let failure: unknown;
          try {
            let changed = await apply(place(context, state, backoff));
            // The rest goes by pods as the next look will find them.
            if (!changed && (daemonSet.spec.updateStrategy?.type ?? 'RollingUpdate') === 'RollingUpdate')
              changed = await apply(rollingUpdate(state, maxUnavailable, context.now()));
            if (!changed)
              await truncateHistory(context, history.old, daemonSet.spec.revisionHistoryLimit ?? 10, ({ metadata }) =>
                claimed.some((pod) => pod.metadata.labels?.[REVISION_HASH] === metadata.labels?.[REVISION_HASH]),
              );
          } catch (error) {
            failure = error;
          }
          await writeStatus(context, daemonSet, statusOf(state, history.collisionCount, context.now()));
          if (failure) throw failure;
          const requeueAfterMs = nextAvailability(claimed, daemonSet.spec.minReadySeconds ?? 0, context.now());
          return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
        },
      };
    },
  });
}

/** What of a node decides over its pods; the rest changes with every heartbeat. */
const matters = ({ metadata, spec }: Node) => canonical([metadata.labels, spec?.taints, spec?.unschedulable]);

function stateOf(
  daemonSet: DaemonSet,
  key: string,
  hash: string,
  nodes: readonly Node[],
  pods: readonly Pod[],
): DaemonState {
  const podsOf = new Map<string, Pod[]>();
  for (const pod of pods) {
    const node = targetNode(pod);
    if (node === undefined || (pod.metadata.deletionTimestamp && isPodTerminal(pod))) continue;
    const list = podsOf.get(node);
    if (list) list.push(pod);
    else podsOf.set(node, [pod]);
  }
  const state = { daemonSet, key, hash, nodes, podsOf, surge: 0 };
  return { ...state, surge: rollingLimits(daemonSet, desiredOf(state)).maxSurge };
}

function desiredOf({ daemonSet, nodes }: DaemonState): number {
  const verdictOf = nodeVerdicts(daemonSet);
  return nodes.filter((node) => verdictOf(node).shouldRun).length;
}

/** True when there was something to do. */
async function applyChanges(control: PodControl, state: DaemonState, changes: PodChanges): Promise<boolean> {
  const { daemonSet, key, hash } = state;
  const created = slowStart(changes.create.slice(0, BURST), (node) =>
    control.create(key, daemonSet, DaemonSets, daemonPod(daemonSet, node, hash)),
  );
  const deleted = inParallel(changes.delete.slice(0, BURST), (pod) => control.delete(key, daemonSet, pod));
  const failed = (await Promise.allSettled([created, deleted])).find((result) => result.status === 'rejected');
  if (failed) throw failed.reason;
  return changes.create.length + changes.delete.length > 0;
}

function statusOf(state: DaemonState, collisionCount: number | undefined, now: number): DaemonSetStatus {
  const { daemonSet, nodes, podsOf, hash } = state;
  const verdictOf = nodeVerdicts(daemonSet);
  const counts = { desired: 0, current: 0, misscheduled: 0, ready: 0, available: 0, updated: 0 };
  for (const node of nodes) {
    const [pod] = [...(podsOf.get(node.metadata.name) ?? [])].sort(byAge);
    if (!verdictOf(node).shouldRun) {
      if (pod) counts.misscheduled++;
      continue;
    }
    counts.desired++;
    if (!pod) continue;
    counts.current++;
    if (isPodReady(pod)) counts.ready++;
    if (isPodAvailable(pod, daemonSet.spec.minReadySeconds ?? 0, now)) counts.available++;
    if (isUpdated(daemonSet, pod, hash)) counts.updated++;
  }
  const unavailable = counts.desired - counts.available;
  return {
    currentNumberScheduled: counts.current,
    numberMisscheduled: counts.misscheduled,
    desiredNumberScheduled: counts.desired,
    numberReady: counts.ready,
    observedGeneration: daemonSet.metadata.generation ?? 0,
    ...(counts.updated ? { updatedNumberScheduled: counts.updated } : {}),
    ...(counts.available ? { numberAvailable: counts.available } : {}),
    ...(unavailable ? { numberUnavailable: unavailable } : {}),
    ...(collisionCount ? { collisionCount } : {}),
    ...(daemonSet.status?.conditions ? { conditions: daemonSet.status.conditions } : {}),
  };
}

async function writeStatus(context: ControllerContext, daemonSet: DaemonSet, status: DaemonSetStatus): Promise<void> {
  if (canonical(status) === canonical(daemonSet.status ?? {})) return;
  try {
    await context.client.for(DaemonSets).updateStatus({ ...daemonSet, status });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}

function matchesEverything({ spec: { selector } }: DaemonSet): boolean {
  return Object.keys(selector.matchLabels ?? {}).length === 0 && (selector.matchExpressions ?? []).length === 0;
}
