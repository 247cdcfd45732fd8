import { type FieldError, FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { defineKind } from '../define.ts';
import type { Pod, PodAffinityTerm, TopologySpreadConstraint } from '../types/core.v1.gen.ts';
import { computeQosClass } from './pod-qos.ts';
import { defaultPodOnly, defaultPodSpec } from './pod-spec/defaults.ts';
import { validatePodSpec } from './pod-spec/index.ts';
import { podColumns } from './pod-status-columns.ts';
import { validatePodStatusUpdate, validatePodUpdate } from './pod-update.ts';
import { podSpecWarnings } from './pod-warnings.ts';

export const pod = defineKind<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  generation: 'spec',
  default(pod) {
    if (!pod.spec) return;
    defaultPodSpec(pod.spec);
    defaultPodOnly(pod.spec);
  },
  prepareForCreate(pod) {
    pod.status = { phase: 'Pending', qosClass: computeQosClass(pod.spec ?? { containers: [] }) };
    if (pod.spec?.schedulingGates?.length) {
      pod.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ];
    }
    mergeLabelKeys(pod);
  },
  validate(pod) {
    return validatePodSpec(pod.spec ?? { containers: [] }, FieldPath.of('spec'));
  },
  validateCreate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  warnings: (pod) => podSpecWarnings(pod.spec, FieldPath.of('spec')),
  subresources: {
    status: {
      prepareForUpdate(pod, old) {
        pod.status = { ...pod.status };
        if (old.status?.qosClass) pod.status.qosClass = old.status.qosClass;
        if (old.metadata.ownerReferences)
          pod.metadata.ownerReferences = old.metadata.ownerReferences as Draft<typeof old.metadata.ownerReferences>;
        else delete pod.metadata.ownerReferences;
      },
      validateUpdate: validatePodStatusUpdate,
    },
  },
  gracePeriod(pod, requested) {
    const phase = pod.status?.phase;
    if (!pod.spec.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
    const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 0;
    return seconds < 0 ? 1 : seconds;
  },
  columns: podColumns,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.podIPs': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    'status.nominatedNodeName': (pod) => pod.status?.nominatedNodeName ?? '',
  },
  indexedFields: ['spec.nodeName'],
});

/** `matchLabelKeys` are turned into selector requirements once, with the labels that the pod is created with. */
function mergeLabelKeys(pod: Draft<Pod>): void {
  const labels = pod.metadata.labels ?? {};
  const { podAffinity, podAntiAffinity } = pod.spec?.affinity ?? {};
  for (const affinity of [podAffinity, podAntiAffinity]) {
    for (const term of affinity?.requiredDuringSchedulingIgnoredDuringExecution ?? []) mergeInto(term, labels);
    for (const { podAffinityTerm } of affinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [])
      if (podAffinityTerm) mergeInto(podAffinityTerm, labels);
  }
  for (const constraint of pod.spec?.topologySpreadConstraints ?? []) mergeInto(constraint, labels);
}

function mergeInto(
  term: Draft<PodAffinityTerm> | Draft<TopologySpreadConstraint>,
  labels: Readonly<Record<string, string>>,
): void {
  if (!term.labelSelector) return;
  const add = (keys: readonly string[] | undefined, operator: 'In' | 'NotIn') => {
    for (const key of keys ?? []) {
      const value = labels[key];
      if (value === undefined || !term.labelSelector) continue;
      term.labelSelector.matchExpressions = [
        ...(term.labelSelector.matchExpressions ?? []),
        { key, operator, values: [value] },
      ];
    }
  };
  add(term.matchLabelKeys, 'In');
  if ('mismatchLabelKeys' in term) add(term.mismatchLabelKeys, 'NotIn');
}

function validatePodCreate(pod: Pod): FieldError[] {
  const spec = FieldPath.of('spec');
  const errors: FieldError[] = [];
  if (pod.spec.ephemeralContainers?.length)
    errors.push(forbiddenField(spec.child('ephemeralContainers'), 'cannot be set on create'));
  if (pod.spec.nodeName && pod.spec.schedulingGates?.length)
    errors.push(forbiddenField(spec.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'));
  return errors;
}
