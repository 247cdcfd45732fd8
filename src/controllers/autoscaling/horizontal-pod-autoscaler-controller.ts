import type { Scale } from '../../api/types/autoscaling.v1.gen.ts';
import type {
  HorizontalPodAutoscaler,
  HorizontalPodAutoscalerCondition,
  MetricStatus,
} from '../../api/types/autoscaling.v2.gen.ts';
import { parseLabelSelector } from '../../apimachinery/labels.ts';
import { parseApiVersion } from '../../apimachinery/meta.ts';
import type { ResourceType } from '../../client/client.ts';
import { discover } from '../../client/discovery.ts';
import { HorizontalPodAutoscalers, Pods } from '../../client/resource-types.gen.ts';
import { timestamp, withCondition } from '../conditions.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { type EvaluatedMetric, evaluateMetric, MetricUnavailableError } from './metric-evaluation.ts';
import { createMetricsSource } from './metrics-source.ts';
import { limitReplicas, recordScaling, type ScalingHistory } from './scaling-behavior.ts';

export interface HorizontalPodAutoscalerOptions {
  /** Between two looks at an autoscaler's metrics: 15 s. */
  readonly syncPeriodMs?: number;
}

interface Recommendation {
  readonly replicas: number;
  readonly reason: string;
  readonly metrics: readonly MetricStatus[];
}

/** Scales workloads by their metrics. */
export function horizontalPodAutoscalerController(options: HorizontalPodAutoscalerOptions = {}): ControllerDefinition {
  const syncPeriodMs = options.syncPeriodMs ?? 15_000;
  return defineController({
    name: 'horizontal-pod-autoscaler-controller',
    concurrency: 5,
    setup(context) {
      const autoscalers = context.informer(HorizontalPodAutoscalers);
      const pods = context.informer(Pods);
      const source = createMetricsSource(context.client);
      const histories = new Map<string, ScalingHistory>();

      async function typeOf(apiVersion: string | undefined, kind: string): Promise<ResourceType> {
        const { group } = parseApiVersion(apiVersion ?? 'v1');
        const { all } = await discover(context.client, context.signal);
        const type = all.find((entry) => entry.type.kind === kind && entry.type.group === group)?.type;
        if (!type) throw new Error(`no matches for kind "${kind}" in group "${group}"`);
        return type;
      }

      async function recommend(
        autoscaler: HorizontalPodAutoscaler,
        scale: Scale,
        set: SetCondition,
      ): Promise<Recommendation> {
        const selector = scale.status?.selector;
        if (!selector) {
          const message = 'selector is required';
          set('ScalingActive', 'False', 'InvalidSelector', "the HPA target's scale is missing a selector");
          context.events.event(autoscaler, 'Warning', 'SelectorRequired', message);
          throw new MetricUnavailableError('InvalidSelector', message);
        }
        const matcher = parseLabelSelector(selector);
        const own = pods.list(autoscaler.metadata.namespace).filter((pod) => matcher.matches(pod.metadata.labels));
        const current = scale.spec?.replicas ?? 0;
        const resourceOf = async (apiVersion: string | undefined, kind: string) =>
          (await typeOf(apiVersion, kind)).resource;
        const input = { autoscaler, pods: own, selector, current, source, now: context.now(), resourceOf };
        const metrics = autoscaler.spec.metrics ?? [];
        const evaluated: EvaluatedMetric[] = [];
        const failures: MetricUnavailableError[] = [];
        for (const metric of metrics)
          try {
            evaluated.push(await evaluateMetric(metric, input));
          } catch (error) {
            if (!(error instanceof MetricUnavailableError)) throw error;
            failures.push(error);
            context.events.event(autoscaler, 'Warning', error.reason, error.message);
          }
        const highest = evaluated.reduce<EvaluatedMetric | undefined>(
          (best, metric) => (best && best.replicas >= metric.replicas ? best : metric),
          undefined,
        );
        const [first] = failures;
        // With a metric missing, scaling down would be a guess.
        if (first && (!highest || highest.replicas < current)) {
          const message = `invalid metrics (${failures.length} invalid out of ${metrics.length}), first error is: ${first.message}`;
          set(
            'ScalingActive',
            'False',
            first.reason,
            `the HPA was unable to compute the replica count: ${first.message}`,
          );
          context.events.event(autoscaler, 'Warning', 'FailedComputeMetricsReplicas', message);
          throw new MetricUnavailableError(first.reason, message);
        }
        if (!highest) throw new MetricUnavailableError('InvalidMetricSourceType', 'the autoscaler has no metrics');
        set(
          'ScalingActive',
          'True',
          'ValidMetricFound',
          `the HPA was able to successfully calculate a replica count from ${highest.name}`,
        );
        const reason =
          highest.replicas > current
            ? `${highest.name} above target`
            : highest.replicas < current
              ? 'All metrics below target'
              : '';
        return { replicas: highest.replicas, reason, metrics: evaluated.map(({ status }) => status) };
      }

      async function sync(autoscaler: HorizontalPodAutoscaler, key: string): Promise<void> {
        const { namespace } = autoscaler.metadata;
        const { apiVersion, kind, name } = autoscaler.spec.scaleTargetRef;
        const draft = createStatusDraft(autoscaler, context);
        let type: ResourceType;
        let scale: Scale;
        try {
          type = await typeOf(apiVersion, kind);
          scale = await context.client.for(type).getSubresource<Scale>({ namespace, name }, 'scale');
        } catch (error) {
          const { message } = error as Error;
          draft.set(
            'AbleToScale',
            'False',
            'FailedGetScale',
            `the HPA controller was unable to get the target's current scale: ${message}`,
          );
          context.events.event(autoscaler, 'Warning', 'FailedGetScale', message);
          return draft.write({});
        }
        draft.set(
          'AbleToScale',
          'True',
          'SucceededGetScale',
          "the HPA controller was able to get the target's current scale",
        );
        const current = scale.spec?.replicas ?? 0;
        const min = autoscaler.spec.minReplicas ?? 1;
        const { maxReplicas } = autoscaler.spec;
        let desired = current;
        let reason = '';
        let metrics = autoscaler.status?.currentMetrics;
        if (current === 0 && min !== 0) {
          draft.set(
            'ScalingActive',
            'False',
            'ScalingDisabled',
            'scaling is disabled since the replica count of the target is zero',
          );
          return draft.write({ currentReplicas: 0, desiredReplicas: 0, currentMetrics: metrics });
        }
        if (current > maxReplicas) {
          desired = maxReplicas;
          reason = 'Current number of replicas above Spec.MaxReplicas';
        } else if (current < min) {
          desired = min;
          reason = 'Current number of replicas below Spec.MinReplicas';
        } else {
          let recommendation: Recommendation;
          try {
            recommendation = await recommend(autoscaler, scale, draft.set);
          } catch (error) {
            if (!(error instanceof MetricUnavailableError)) throw error;
            return draft.write({ currentReplicas: current, desiredReplicas: autoscaler.status?.desiredReplicas ?? 0 });
          }
          metrics = recommendation.metrics;
          reason = recommendation.reason;
          const history = historyOf(key);
          const limited = limitReplicas(autoscaler, current, recommendation.replicas, history, context.now());
          desired = limited.replicas;
          const able = limited.stabilized ?? {
            reason: 'ReadyForNewScale',
            message: 'recommended size matches current size',
          };
          draft.set('AbleToScale', 'True', able.reason, able.message);
          if (limited.limited) draft.set('ScalingLimited', 'True', limited.limited.reason, limited.limited.message);
          else
            draft.set(
              'ScalingLimited',
              'False',
              'DesiredWithinRange',
              'the desired count is within the acceptable range',
            );
        }
        if (desired === current)
          return draft.write({ currentReplicas: current, desiredReplicas: desired, currentMetrics: metrics });
        try {
          await context.client
            .for(type)
            .replaceSubresource({ namespace, name }, 'scale', { ...scale, spec: { ...scale.spec, replicas: desired } });
        } catch (error) {
          const { message } = error as Error;
          context.events.event(
            autoscaler,
            'Warning',
            'FailedRescale',
            `New size: ${desired}; reason: ${reason}; error: ${message}`,
          );
          draft.set(
            'AbleToScale',
            'False',
            'FailedUpdateScale',
            `the HPA controller was unable to update the target scale: ${message}`,
          );
          return draft.write({ currentReplicas: current, desiredReplicas: desired, currentMetrics: metrics });
        }
        draft.set(
          'AbleToScale',
          'True',
          'SucceededRescale',
          `the HPA controller was able to update the target scale to ${desired}`,
        );
        context.events.event(autoscaler, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${reason}`);
        recordScaling(historyOf(key), current, desired, context.now());
        await draft.write({
          currentReplicas: current,
          desiredReplicas: desired,
          currentMetrics: metrics,
          lastScaleTime: timestamp(context.now()),
        });
      }

      function historyOf(key: string): ScalingHistory {
        const history = histories.get(key) ?? { recommendations: [], scaleUps: [], scaleDowns: [] };
        histories.set(key, history);
        return history;
      }

      return {
        watches: [
          watch(HorizontalPodAutoscalers, {
            when: ({ type, object, old }) =>
              type !== 'update' || object.metadata.generation !== old?.metadata.generation,
          }),
        ],
        async reconcile({ key }) {
          const autoscaler = autoscalers.get(key);
          if (!autoscaler) {
            histories.delete(key);
            return;
          }
          await sync(autoscaler, key);
          return { requeueAfterMs: syncPeriodMs };
        },
      };
    },
  });
}

type SetCondition = (type: string, status: 'True' | 'False', reason: string, message: string) => void;

function createStatusDraft(autoscaler: HorizontalPodAutoscaler, { client, now }: ControllerContext) {
  let conditions: readonly HorizontalPodAutoscalerCondition[] = autoscaler.status?.conditions ?? [];
  const set: SetCondition = (type, status, reason, message) => {
    conditions = withCondition(conditions, { type, status, reason, message }, now());
  };
  return {
    set,
    async write(changes: Partial<HorizontalPodAutoscaler['status'] & object>): Promise<void> {
      const status = {
        ...autoscaler.status,
        ...changes,
        desiredReplicas: changes.desiredReplicas ?? autoscaler.status?.desiredReplicas ?? 0,
        observedGeneration: autoscaler.metadata.generation,
        conditions,
      };
      if (JSON.stringify(status) === JSON.stringify(autoscaler.status)) return;
      await client.for(HorizontalPodAutoscalers).updateStatus({ ...autoscaler, status });
    },
  };
}
