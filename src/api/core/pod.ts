import { type FieldError, FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { defineKind } from '../define.ts';
import type { Pod, PodAffinityTerm, PodSpec, PodStatus, TopologySpreadConstraint } from '../types/core.v1.gen.ts';
import { addressWarnings } from './address-warnings.ts';
import { podAllowances } from './pod-allowances.ts';
import { validatePodAnnotations, validateProfileAnnotations } from './pod-annotations.ts';
import { adoptAppArmorAnnotations, appArmorWarnings } from './pod-app-armor.ts';
import { computeQosClass } from './pod-qos.ts';
import { validateImageSpace } from './pod-spec/containers.ts';
import { defaultPodOnly, defaultPodSpec } from './pod-spec/defaults.ts';
import { dropDisabledFields } from './pod-spec/disabled-fields.ts';
import { validatePodSpec } from './pod-spec/index.ts';
import { podColumns, podRowConditions } from './pod-status-columns.ts';
import { validatePodStatusUpdate } from './pod-status-update.ts';
import { validatePodUpdate } from './pod-update.ts';
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
    if (pod.status) unifyPodIPs(pod.status);
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
          lastTransitionTime: new Date().toISOString().replace(/\.\d+Z$/, 'Z'),
          observedGeneration: 1,
        },
      ];
    }
    dropDisabledFields(pod.spec, undefined);
    mergeLabelKeys(pod);
    adoptAppArmorAnnotations(pod);
  },
  prepareForUpdate(pod, old) {
    dropDisabledFields(pod.spec, old.spec);
  },
  validate: (pod, old) => validatePod(pod, old),
  validateCreate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  warnings: podWarnings,
  subresources: {
    status: {
      prepareForUpdate(pod, old) {
        pod.status = { ...pod.status };
        pod.status.qosClass ||= old.status?.qosClass;
        keepObservedGeneration(pod.status, old.status);
        // Of a feature that is off.
        delete pod.status.nodeAllocatableResourceClaimStatuses;
        if (old.metadata.ownerReferences)
          pod.metadata.ownerReferences = old.metadata.ownerReferences as Draft<typeof old.metadata.ownerReferences>;
        else delete pod.metadata.ownerReferences;
      },
      validateUpdate: validatePodStatusUpdate,
      warnings: ({ status }) =>
        (['podIPs', 'hostIPs'] as const).flatMap((list) =>
          (status?.[list] ?? []).flatMap(({ ip = '' }, index) =>
            addressWarnings(FieldPath.of('status', list).index(index).child('ip'), ip),
          ),
        ),
    },
  },
  gracePeriod(pod, requested) {
    const phase = pod.status?.phase;
    if (!pod.spec.nodeName || phase === 'Failed' || phase === 'Succeeded') return 0;
    const seconds = requested ?? pod.spec.terminationGracePeriodSeconds ?? 0;
    return seconds < 0 ? 1 : seconds;
  },
  columns: podColumns,
  rowConditions: podRowConditions,
  selectableFields: {
    'spec.nodeName': (pod) => pod.spec.nodeName ?? '',
    // What it was called once.
    'spec.host': (pod) => pod.spec.nodeName ?? '',
    'spec.restartPolicy': (pod) => pod.spec.restartPolicy ?? '',
    'spec.schedulerName': (pod) => pod.spec.schedulerName ?? '',
    'spec.serviceAccountName': (pod) => pod.spec.serviceAccountName ?? '',
    'spec.hostNetwork': (pod) => String(pod.spec.hostNetwork ?? false),
    'status.phase': (pod) => pod.status?.phase ?? '',
    'status.podIP': (pod) => pod.status?.podIPs?.[0]?.ip ?? pod.status?.podIP ?? '',
    // Let pass, but of no pod.
    'status.podIPs': () => '',
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

/** Clients that do not know `observedGeneration` do not clear it. */
function keepObservedGeneration(status: Draft<PodStatus>, old: PodStatus | undefined): void {
  if (!status.observedGeneration && old?.observedGeneration) status.observedGeneration = old.observedGeneration;
  // Several of one type are told apart by their order.
  const before = [...(old?.conditions ?? [])];
  for (const condition of status.conditions ?? []) {
    const index = before.findIndex(({ type }) => type === condition.type);
    const [known] = index < 0 ? [] : before.splice(index, 1);
    if (!condition.observedGeneration && known?.observedGeneration)
      condition.observedGeneration = known.observedGeneration;
  }
}

/** `podIP` is the first of `podIPs`, and says so to those that know only one of them. */
function unifyPodIPs(status: Draft<PodStatus>): void {
  const { podIP, podIPs } = status;
  if (podIP && podIP !== podIPs?.[0]?.ip) status.podIPs = [{ ip: podIP }];
  else if (podIPs?.[0]?.ip) status.podIP = podIPs[0].ip;
}

const specPath = FieldPath.of('spec');
const annotationsPath = FieldPath.of('metadata', 'annotations');
const noSpec: PodSpec = { containers: [] };

/** `old`: what the pod was, on any update. */
export function validatePod({ metadata, spec = noSpec }: Pod, old: Pod | undefined): FieldError[] {
  const allowances = podAllowances(old);
  const errors = [
    ...validatePodAnnotations(metadata.annotations, spec, annotationsPath, allowances),
    ...validatePodSpec(spec, specPath, allowances, metadata),
  ];
  if (!spec.serviceAccountName)
    spec.volumes?.forEach(({ projected }, i) => {
      projected?.sources?.forEach(({ serviceAccountToken }, j) => {
        const at = specPath.child('volumes').index(i).child('projected', 'sources').index(j);
        if (serviceAccountToken)
          errors.push(
            forbiddenField(at.child('serviceAccountToken'), 'must not be specified when serviceAccountName is not set'),
          );
      });
    });
  for (const list of ['containers', 'initContainers'] as const)
    spec[list]?.forEach((container, index) => {
      errors.push(...validateImageSpace(container, specPath.child(list).index(index)));
    });
  return errors;
}

function validatePodCreate({ metadata, spec }: Pod): FieldError[] {
  const errors: FieldError[] = [];
  if (spec.ephemeralContainers?.length)
    errors.push(forbiddenField(specPath.child('ephemeralContainers'), 'cannot be set on create'));
  if (spec.nodeName && spec.schedulingGates?.length)
    errors.push(
      forbiddenField(specPath.child('nodeName'), 'cannot be set until all schedulingGates have been cleared'),
    );
  return [...errors, ...validateProfileAnnotations(metadata.annotations, spec, specPath)];
}

/** People seldom update pods themselves: only creation warns. */
function podWarnings(pod: Pod, old?: Pod): string[] {
  if (old) return [];
  const { metadata, spec } = pod;
  const messages = isDns1123Label(metadata.name);
  return [
    ...appArmorWarnings(pod),
    ...(messages.length > 0
      ? [
          `metadata.name: this is used in the Pod's hostname, which can result in surprising behavior; a DNS label is recommended: [${messages.join(' ')}]`,
        ]
      : []),
    ...podSpecWarnings(spec, specPath, metadata.annotations ?? {}, annotationsPath),
  ];
}
