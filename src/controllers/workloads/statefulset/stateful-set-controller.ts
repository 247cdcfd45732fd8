import type { StatefulSet, StatefulSetStatus } from '../../../api/types/apps.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { ControllerRevisions, PersistentVolumeClaims, Pods, StatefulSets } from '../../../client/resource-types.gen.ts';
import {
  byControllerUid,
  type ControllerContext,
  type ControllerDefinition,
  createOwnWrites,
  defineController,
  noteGone,
  watch,
} from '../../runtime/index.ts';
import { syncHistory, truncateHistory } from '../controller-history.ts';
import { adopters, BY_CONTROLLER, claim } from '../ownership.ts';
import { nextAvailability } from '../pod-availability.ts';
import { canonical } from '../template-hash.ts';
import { StatefulPodControl } from './stateful-pod-control.ts';
import { ordinalOf, revisionOf } from './stateful-pods.ts';
import { type SetState, statusOf, syncPods } from './stateful-set-sync.ts';

const OWN_WRITES_MS = 5_000;
const HASH = 'controller.kubernetes.io/hash';

/** Keeps pods with names, storage and an order of their own. */
export function statefulSetController(): ControllerDefinition {
  return defineController({
    name: 'statefulset-controller',
    concurrency: 5,
    setup(context) {
      const sets = context.informer(StatefulSets);
      const pods = context.informer(Pods);
      const writes = createOwnWrites(pods);
      const revisionWrites = createOwnWrites(context.informer(ControllerRevisions));
      const control = new StatefulPodControl(context, writes);
      const selectorOf = (set: StatefulSet) => set.spec.selector;
      const indexes = { [BY_CONTROLLER]: byControllerUid };
      return {
        watches: [
          watch(StatefulSets),
          watch(Pods, { ownedBy: StatefulSets, indexes, observe: noteGone(writes) }),
          watch(Pods, { keys: (pod) => adopters(sets, pod, selectorOf) }),
          watch(ControllerRevisions, { ownedBy: StatefulSets, indexes, observe: noteGone(revisionWrites) }),
          watch(ControllerRevisions, { keys: (revision) => adopters(sets, revision, selectorOf) }),
          // A claim that goes away makes room for a new one.
          watch(PersistentVolumeClaims, {
            when: ({ type }) => type === 'delete',
            keys: ({ metadata }) =>
              sets
                .list(metadata.namespace)
                .filter((set) =>
                  set.spec.volumeClaimTemplates?.some((template) => isClaimOf(metadata.name, set, template)),
                )
                .map((set) => `${metadata.namespace}/${set.metadata.name}`),
          }),
        ],
        async reconcile({ key }) {
          const set = sets.get(key);
          if (!set) {
            writes.forget(key);
            revisionWrites.forget(key);
            return;
          }
          if (writes.pending(key) || revisionWrites.pending(key)) return { requeueAfterMs: OWN_WRITES_MS };
          const owner = { owner: set, ownerType: StatefulSets };
          const history = await syncHistory(context, { ...owner, hashLabel: HASH, writes: revisionWrites, key });
          const claimed = await claim(context, {
            ...owner,
            selector: set.spec.selector,
            informer: pods,
            ignore: (pod) => ordinalOf(set, pod) === undefined,
          });
          const { currentRevision } = set.status ?? {};
          const current = history.old.find(({ metadata }) => metadata.name === currentRevision) ?? history.current;
          const state: SetState = { key, set, pods: claimed, current, update: history.current, now: context.now() };
          let failure: unknown;
          if (!set.metadata.deletionTimestamp)
            await syncPods(context, control, state).catch((error: unknown) => {
              failure = error;
            });
          await writeStatus(context, set, statusOf(state, history.collisionCount));
          if (failure) throw failure;
          await truncateHistory(
            context,
            history.old,
            set.spec.revisionHistoryLimit ?? 10,
            (revision) => revision === current || claimed.some((pod) => revisionOf(pod) === revision.metadata.name),
          );
          const requeueAfterMs = nextAvailability(claimed, set.spec.minReadySeconds ?? 0, context.now());
          return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
        },
      };
    },
  });
}

function isClaimOf(
  name: string,
  set: StatefulSet,
  template: { readonly metadata: { readonly name: string } },
): boolean {
  return name.startsWith(`${template.metadata.name}-${set.metadata.name}-`);
}

async function writeStatus(context: ControllerContext, set: StatefulSet, status: StatefulSetStatus): Promise<void> {
  if (canonical(status) === canonical(set.status ?? {})) return;
  try {
    await context.client.for(StatefulSets).updateStatus({ ...set, status });
  } catch (error) {
    if (!isStatusError(error, 'NotFound')) throw error;
  }
}
