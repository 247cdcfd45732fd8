import { humanDuration } from '../../apimachinery/age.ts';
import { type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { hasInvalidLabelValue, labelSelectorMatcher, validateLabelSelector } from '../../apimachinery/labels.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import {
  defaultWorkloadTemplate,
  internalPodSpec,
  internalTemplate,
  nameWarnings,
  validateSelectorMatchesTemplate,
} from '../apps/pod-template.ts';
import { ageColumn, column, containerColumns, formatLabelSelector, nameColumn } from '../columns.ts';
import { dropDisabledTemplateFields } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { immutable, immutableMessage, semanticEqual } from '../field-checks.ts';
import type { Job } from '../types/batch.v1.gen.ts';
import type { Container, PodTemplateSpec } from '../types/core.v1.gen.ts';
import { internalFailurePolicy, internalSuccessPolicy } from './job-policies.ts';
import { defaultFailurePolicy, jobSpecWarnings, validateJobSpec } from './job-spec.ts';
import { hasJobCondition, validateJobStatusUpdate } from './job-status.ts';

const spec = FieldPath.of('spec');
const metadata = FieldPath.of('metadata');

/** Labels that tie a Job's pods to it; those without a prefix are kept for older tools. */
export const jobLabels = {
  name: 'batch.kubernetes.io/job-name',
  controllerUid: 'batch.kubernetes.io/controller-uid',
  legacyName: 'job-name',
  legacyControllerUid: 'controller-uid',
} as const;

const maxInt32 = 2 ** 31 - 1;

export const job = defineKind<Job>({
  group: 'batch',
  version: 'v1',
  kind: 'Job',
  generation: 'spec',
  default: setDefaults,
  prepareForCreate(object) {
    generateSelector(object);
    dropDisabledTemplateFields(object.spec?.template, undefined);
  },
  prepareForUpdate: (object, old) => dropDisabledTemplateFields(object.spec?.template, old.spec?.template),
  validate: validateJob,
  validateUpdate: validateJobUpdate,
  warnings: (object, old) => [...nameWarnings(object, old), ...jobSpecWarnings(spec, object.spec, object, old)],
  subresources: { status: { validateUpdate: validateJobStatusUpdate } },
  columns: [
    nameColumn,
    column('Status', jobState, { description: 'State of the job' }),
    column('Completions', completions, { description: 'Pods that succeeded, out of those wanted' }),
    column('Duration', jobDuration, { description: 'Time the job has taken' }),
    ageColumn,
    ...containerColumns<Job>((object) => object.spec.template.spec?.containers),
    column('Selector', ({ spec }) => formatLabelSelector(spec.selector), {
      wide: true,
      description: 'Label selector of the pods',
    }),
  ],
  selectableFields: { 'status.successful': (object) => String(object.status?.succeeded ?? 0) },
});

function setDefaults({ metadata, spec }: Draft<Job>): void {
  if (!spec) return;
  if (spec.completions === undefined && spec.parallelism === undefined) spec.completions = 1;
  spec.parallelism ??= 1;
  spec.backoffLimit ??= spec.backoffLimitPerIndex === undefined ? 6 : maxInt32;
  const labels = spec.template?.metadata?.labels;
  if (labels && metadata && Object.keys(metadata.labels ?? {}).length === 0) metadata.labels = { ...labels };
  spec.completionMode ??= 'NonIndexed';
  spec.suspend ??= false;
  spec.podReplacementPolicy ??= spec.podFailurePolicy ? 'Failed' : 'TerminatingOrFailed';
  spec.manualSelector ??= false;
  defaultFailurePolicy(spec);
  defaultWorkloadTemplate(spec);
}

/**
 * The selector and the pod labels of a Job come from its uid and name, which must be known by now. What the user gave
 * stays; validation refuses it where it contradicts.
 */
function generateSelector({ metadata, spec }: Draft<Job>): void {
  if (!spec?.template || spec.manualSelector) return;
  const { name, uid } = metadata as { name: string; uid?: string };
  spec.template.metadata = {
    ...spec.template.metadata,
    labels: {
      [jobLabels.legacyName]: name,
      [jobLabels.name]: name,
      [jobLabels.legacyControllerUid]: uid ?? '',
      [jobLabels.controllerUid]: uid ?? '',
      ...spec.template.metadata?.labels,
    },
  } as typeof spec.template.metadata;
  spec.selector = {
    ...spec.selector,
    matchLabels: { [jobLabels.controllerUid]: uid ?? '', ...spec.selector?.matchLabels },
  };
}

function validateJob(job: Job, old?: Job): FieldError[] {
  if (!job.spec) return [required(spec)];
  const errors = [...validateGeneratedSelector(job, old), ...validateJobSpec(spec, job.spec, old?.spec)];
  if (!job.spec.selector) errors.push(required(spec.child('selector')));
  else
    errors.push(
      ...validateLabelSelector(job.spec.selector, spec.child('selector'), hasInvalidLabelValue(old?.spec?.selector)),
    );
  errors.push(...validateSelectorMatchesTemplate(spec.child('template'), job.spec.template ?? {}, job.spec.selector));
  const wanted = job.spec.completions ?? 0;
  if (job.spec.completionMode === 'Indexed' && wanted > 0) {
    // The longest host name that a pod of this job will get.
    const hostname = `${job.metadata.name}-${wanted - 1}`;
    if (isDns1123Label(hostname).length > 0)
      errors.push(
        invalidValue(
          metadata.child('name'),
          job.metadata.name,
          `will not able to create pod with invalid DNS label: ${hostname}`,
        ),
      );
  }
  return errors;
}

/** Jobs from before the labels had a prefix do without those that have. */
function validateGeneratedSelector(job: Job, old: Job | undefined): FieldError[] {
  const { selector, manualSelector, template } = job.spec;
  if (manualSelector || !selector) return [];
  const { name } = job.metadata;
  const uid = job.metadata.uid ?? '';
  const errors = uid === '' ? [required(metadata.child('uid'))] : [];
  const before: Readonly<Record<string, string>> = old?.spec?.template?.metadata?.labels ?? {};
  const prefixed = !old || (before[jobLabels.controllerUid] !== undefined && before[jobLabels.name] !== undefined);
  const expected: Readonly<Record<string, string>> = {
    [jobLabels.legacyControllerUid]: uid,
    [jobLabels.legacyName]: name,
    ...(prefixed ? { [jobLabels.controllerUid]: uid, [jobLabels.name]: name } : {}),
  };
  const labels: Readonly<Record<string, string>> = template?.metadata?.labels ?? {};
  for (const [key, value] of Object.entries(expected)) {
    const path = spec.child('template', 'metadata', 'labels').key(key);
    if (labels[key] === undefined) errors.push(required(path, `must be '${value}'`));
    else if (labels[key] !== value) errors.push(invalidValue(path, labels, `must be '${value}'`));
  }
  if (validateLabelSelector(selector, spec).length === 0 && !labelSelectorMatcher(selector).matches(expected))
    errors.push(invalidValue(spec.child('selector'), selector, '`selector` not auto-generated'));
  return errors;
}

function validateJobUpdate(job: Job, old: Job): FieldError[] {
  if (!job.spec?.template) return [];
  const now = job.spec;
  const was = old.spec;
  const unchanged = (field: keyof Job['spec'], shown: (value: Job['spec']) => unknown = (value) => value[field]) =>
    semanticEqual(now[field], was[field]) ? [] : [invalidValue(spec.child(field), shown(now), immutableMessage)];
  return [
    ...validateCompletionsUpdate(job, old),
    ...unchanged('selector'),
    ...validateTemplateUpdate(job, old),
    ...unchanged('completionMode'),
    ...unchanged('podFailurePolicy', ({ podFailurePolicy: policy }) => internalFailurePolicy(policy)),
    ...unchanged('backoffLimitPerIndex'),
    ...unchanged('managedBy'),
    ...unchanged('successPolicy', ({ successPolicy: policy }) => internalSuccessPolicy(policy)),
  ];
}

function validateTemplateUpdate({ spec: { template } }: Job, old: Job): FieldError[] {
  const path = spec.child('template');
  const { spec: pod, ...rest } = template;
  const { active = 0, startTime } = old.status ?? {};
  if (!pod || !old.spec.suspend || active > 0 || (startTime && !hasJobCondition(old, 'Suspended')))
    return semanticEqual(template, old.spec.template)
      ? []
      : [invalidValue(path, internalTemplate(template), immutableMessage)];
  const { spec: oldPod, ...oldRest } = withNewDirectives(old.spec.template, template);
  if (!semanticEqual({ metadata: {}, ...rest }, oldRest))
    return [invalidValue(path, internalTemplate(template), immutableMessage)];
  return semanticEqual(pod, oldPod) ? [] : [invalidValue(path.child('spec'), internalPodSpec(pod), immutableMessage)];
}

function validateCompletionsUpdate(job: Job, old: Job): FieldError[] {
  const { completions, parallelism, completionMode } = job.spec;
  const path = spec.child('completions');
  if (completionMode !== 'Indexed') return immutable(path, completions, old.spec.completions);
  if (completions === undefined || completions === old.spec.completions || completions === parallelism) return [];
  return [invalidValue(path, completions, 'can only be modified in tandem with spec.parallelism')];
}

/** The old template, with what a suspended job may still change taken from the new one: placement and resources. */
function withNewDirectives(old: PodTemplateSpec, now: PodTemplateSpec): PodTemplateSpec {
  const { labels, annotations } = now.metadata ?? {};
  const { spec: pod } = now;
  if (!old.spec || !pod) return old;
  const withResources = (containers: readonly Container[] | undefined, given: readonly Container[] | undefined) =>
    containers?.map((container, index) => ({ ...container, resources: given?.[index]?.resources }));
  const affinity = { ...old.spec.affinity, nodeAffinity: pod.affinity?.nodeAffinity };
  const noAffinity = !pod.affinity && Object.values(affinity).every((directive) => directive === undefined);
  return {
    ...old,
    metadata: { ...old.metadata, labels, annotations },
    spec: {
      ...old.spec,
      affinity: noAffinity ? undefined : affinity,
      nodeSelector: pod.nodeSelector,
      tolerations: pod.tolerations,
      schedulingGates: pod.schedulingGates,
      containers: withResources(old.spec.containers, pod.containers) ?? [],
      initContainers: withResources(old.spec.initContainers, pod.initContainers),
    },
  };
}

function jobState(job: Job): string {
  if (hasJobCondition(job, 'Complete')) return 'Complete';
  if (hasJobCondition(job, 'Failed')) return 'Failed';
  if (job.metadata.deletionTimestamp) return 'Terminating';
  for (const type of ['Suspended', 'FailureTarget', 'SuccessCriteriaMet']) if (hasJobCondition(job, type)) return type;
  return 'Running';
}

function completions({ spec, status }: Job): string {
  const succeeded = status?.succeeded ?? 0;
  if (spec.completions !== undefined) return `${succeeded}/${spec.completions}`;
  const parallelism = spec.parallelism ?? 0;
  return parallelism > 1 ? `${succeeded}/1 of ${parallelism}` : `${succeeded}/1`;
}

function jobDuration({ status }: Job, now: number): string {
  if (!status?.startTime) return '';
  return humanDuration(
    (status.completionTime ? Date.parse(status.completionTime) : now) - Date.parse(status.startTime),
  );
}
