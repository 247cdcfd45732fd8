import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { PodDisruptionBudget } from '../../api/types/policy.v1.gen.ts';
import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { PodDisruptionBudgets, Pods } from '../../client/resource-types.gen.ts';
import { withCondition } from '../conditions.ts';
import { isPodReady, isPodTerminal } from '../pod-state.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { createScaleFinder, ScaleNotFoundError } from './expected-scale.ts';

/** A pod whose eviction was granted is expected to be deleted by then. */
const DELETION_TIMEOUT_MS = 120_000;

/** Keeps the status of PodDisruptionBudgets, by which the API server grants and refuses evictions. */
export function disruptionController(): ControllerDefinition {
  return defineController({
    name: 'disruption-controller',
    setup(context) {
      const findScale = createScaleFinder(context);
      return {
        watches: [
          watch(PodDisruptionBudgets, { when: ({ type }) => type !== 'delete' }),
          watch(Pods, { when: ({ object, old }) => !old || relevant(object) !== relevant(old), keys: budgetsOf }),
        ],
        async reconcile({ key }) {
          const budget = context.informer(PodDisruptionBudgets).get(key);
          if (!budget) return;
          const pods = podsOf(budget, context);
          try {
            const { expected, desired } = await expectations(budget, pods, findScale);
            return await writeStatus(budget, pods, expected, desired, context);
          } catch (error) {
            if (!(error instanceof ScaleNotFoundError)) throw error;
            const reason = pods.length === 0 ? 'NoPods' : 'CalculateExpectedPodCountFailed';
            context.events.event(
              budget,
              'Warning',
              reason,
              `Failed to calculate the number of expected pods: ${error.message}`,
            );
            await failSafe(budget, error.message, context);
          }
        },
      };
    },
  });
}

function budgetsOf(pod: Pod, { informer }: ControllerContext): readonly string[] {
  return informer(PodDisruptionBudgets)
    .list(pod.metadata.namespace)
    .filter((budget) => labelSelectorMatcher(budget.spec?.selector).matches(pod.metadata.labels))
    .map(objectKey);
}

function podsOf(budget: PodDisruptionBudget, { informer }: ControllerContext): readonly Pod[] {
  const selector = labelSelectorMatcher(budget.spec?.selector);
  return informer(Pods)
    .list(budget.metadata.namespace)
    .filter((pod) => selector.matches(pod.metadata.labels) && !isPodTerminal(pod));
}

const relevant = (pod: Pod) =>
  `${isPodReady(pod)} ${isPodTerminal(pod)} ${pod.metadata.deletionTimestamp} ${JSON.stringify(pod.metadata.labels)}`;

async function expectations(
  { spec }: PodDisruptionBudget,
  pods: readonly Pod[],
  findScale: (pods: readonly Pod[]) => Promise<number>,
): Promise<{ expected: number; desired: number }> {
  if (spec?.maxUnavailable !== undefined) {
    const expected = await findScale(pods);
    return { expected, desired: Math.max(0, expected - scaled(spec.maxUnavailable, expected)) };
  }
  if (typeof spec?.minAvailable === 'string') {
    const expected = await findScale(pods);
    return { expected, desired: scaled(spec.minAvailable, expected) };
  }
  return { expected: pods.length, desired: spec?.minAvailable ?? 0 };
}

/** A percentage of pods, rounded up. */
function scaled(value: number | string, total: number): number {
  return typeof value === 'number' ? value : Math.ceil((Number.parseInt(value, 10) * total) / 100);
}

async function writeStatus(
  budget: PodDisruptionBudget,
  pods: readonly Pod[],
  expected: number,
  desired: number,
  { client, events, now }: ControllerContext,
) {
  const disruptedPods: Record<string, string> = {};
  let recheckMs: number | undefined;
  for (const pod of pods) {
    const since = budget.status?.disruptedPods?.[pod.metadata.name];
    if (!since || pod.metadata.deletionTimestamp) continue;
    const left = Date.parse(since) + DELETION_TIMEOUT_MS - now();
    if (left <= 0) {
      const message = `Pod was expected by PDB ${objectKey(budget)} to be deleted but it wasn't`;
      events.event(pod, 'Warning', 'NotDeleted', message);
      continue;
    }
    disruptedPods[pod.metadata.name] = since;
    recheckMs = Math.min(recheckMs ?? left, left);
  }
  const currentHealthy = pods.filter(
    (pod) => !pod.metadata.deletionTimestamp && disruptedPods[pod.metadata.name] === undefined && isPodReady(pod),
  ).length;
  const disruptionsAllowed = expected <= 0 ? 0 : Math.max(0, currentHealthy - desired);
  const { generation } = budget.metadata;
  const allowed = {
    type: 'DisruptionAllowed',
    status: disruptionsAllowed > 0 ? 'True' : 'False',
    reason: disruptionsAllowed > 0 ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: generation,
  };
  const old = budget.status;
  const conditions = withCondition(old?.conditions, allowed as never, now());
  const same =
    old?.currentHealthy === currentHealthy &&
    old.desiredHealthy === desired &&
    old.expectedPods === expected &&
    old.disruptionsAllowed === disruptionsAllowed &&
    old.observedGeneration === generation &&
    old.conditions === conditions &&
    JSON.stringify(old.disruptedPods ?? {}) === JSON.stringify(disruptedPods);
  if (!same)
    await client.for(PodDisruptionBudgets).updateStatus({
      ...budget,
      status: {
        currentHealthy,
        desiredHealthy: desired,
        expectedPods: expected,
        disruptionsAllowed,
        disruptedPods,
        observedGeneration: generation,
        conditions,
      },
    });
  return recheckMs === undefined ? undefined : { requeueAfterMs: recheckMs };
}

/** What can't be computed must not be disrupted. */
async function failSafe(budget: PodDisruptionBudget, message: string, { client, now }: ControllerContext) {
  const failed = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'SyncFailed',
    message,
    observedGeneration: budget.metadata.generation,
  };
  const conditions = withCondition(budget.status?.conditions, failed as never, now());
  if (budget.status?.disruptionsAllowed === 0 && conditions === budget.status.conditions) return;
  await client.for(PodDisruptionBudgets).updateStatus({
    ...budget,
    status: {
      ...budget.status,
      currentHealthy: budget.status?.currentHealthy ?? 0,
      desiredHealthy: budget.status?.desiredHealthy ?? 0,
      expectedPods: budget.status?.expectedPods ?? 0,
      disruptionsAllowed: 0,
      observedGeneration: budget.metadata.generation,
      conditions,
    },
  });
}
