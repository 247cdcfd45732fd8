import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { labelsToSelector } from '../../apimachinery/labels.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { ageColumn, column, containerColumns, formatLabels, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { nonNegative } from '../field-checks.ts';
import type { PodTemplateSpec, ReplicationController, ReplicationControllerStatus } from '../types/core.v1.gen.ts';
import { defaultPodTemplateSpec, dropDisabledTemplateFields, validatePodTemplateSpec } from './pod-spec/index.ts';
import { podTemplateWarnings } from './pod-warnings.ts';

const spec = FieldPath.of('spec');

export const replicationController = defineKind<ReplicationController>({
  group: '',
  version: 'v1',
  kind: 'ReplicationController',
  generation: 'spec',
  default(controller) {
    if (!controller.spec) return;
    controller.spec.replicas ??= 1;
    const { template } = controller.spec;
    if (!template) return;
    defaultPodTemplateSpec(template);
    const labels = template.metadata?.labels;
    if (!labels) return;
    if (!Object.keys(controller.spec.selector ?? {}).length) controller.spec.selector = { ...labels };
    if (!Object.keys(controller.metadata.labels ?? {}).length) controller.metadata.labels = { ...labels };
  },
  prepareForCreate(controller) {
    controller.status = { replicas: 0 };
    dropDisabledTemplateFields(controller.spec?.template, undefined);
  },
  prepareForUpdate: ({ spec }, old) => dropDisabledTemplateFields(spec?.template, old.spec?.template),
  validate: validateController,
  warnings: controllerWarnings,
  subresources: {
    status: { validateUpdate: ({ status }) => validateStatus(status ?? { replicas: 0 }) },
    scale: {
      getReplicas: ({ spec }) => spec.replicas,
      setReplicas: ({ spec }, replicas) => {
        spec.replicas = replicas;
      },
      statusReplicas: ({ status }) => status?.replicas ?? 0,
      selector: ({ spec }) => labelsToSelector(spec.selector ?? {}),
      specPath: '.spec.replicas',
      version: 'autoscaling/v1',
    },
  },
  columns: [
    nameColumn,
    column('Desired', ({ spec }) => spec.replicas ?? 0, { type: 'integer', description: 'Pods wanted' }),
    column('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer', description: 'Pods there are' }),
    column('Ready', ({ status }) => status?.readyReplicas ?? 0, {
      type: 'integer',
      description: 'Pods that are ready',
    }),
    ageColumn,
    ...containerColumns<ReplicationController>(({ spec }) => spec.template?.spec?.containers),
    column('Selector', ({ spec }) => formatLabels(spec.selector), { wide: true, description: 'Labels of its pods' }),
  ],
  selectableFields: { 'status.replicas': ({ status }) => String(status?.replicas ?? 0) },
});

/** What the schema declares is checked last. */
function validateController({ spec: controller }: ReplicationController, old?: ReplicationController): FieldError[] {
  if (!controller) return [required(spec)];
  const selector = controller.selector ?? {};
  return [
    ...(Object.keys(selector).length === 0 ? [required(spec.child('selector'))] : []),
    ...validateTemplate(controller.template, selector, old?.spec?.template),
    ...nonNegative(spec.child('replicas'), controller.replicas),
    ...nonNegative(spec.child('minReadySeconds'), controller.minReadySeconds),
  ];
}

function validateTemplate(
  template: PodTemplateSpec | undefined,
  selector: Readonly<Record<string, string>>,
  old: PodTemplateSpec | undefined,
): FieldError[] {
  const path = spec.child('template');
  if (!template) return [required(path)];
  const errors: FieldError[] = [];
  const labels = template.metadata?.labels ?? {};
  if (Object.entries(selector).some(([key, value]) => labels[key] !== value))
    errors.push(
      invalidValue(
        path.child('metadata', 'labels'),
        template.metadata?.labels,
        '`selector` does not match template `labels`',
      ),
    );
  errors.push(...validatePodTemplateSpec(template, path, old));
  const restartPolicy = template.spec?.restartPolicy;
  if (restartPolicy !== 'Always')
    errors.push(notSupported(path.child('spec', 'restartPolicy'), restartPolicy ?? '', ['Always']));
  if (template.spec?.activeDeadlineSeconds !== undefined)
    errors.push(
      forbiddenField(
        path.child('spec', 'activeDeadlineSeconds'),
        'activeDeadlineSeconds in ReplicationController is not Supported',
      ),
    );
  return errors;
}

function controllerWarnings(
  { metadata, spec: controller }: ReplicationController,
  old?: ReplicationController,
): string[] {
  if (old && old.metadata.generation === metadata.generation) return [];
  const messages = old ? [] : isDns1123Label(metadata.name);
  const warnings = podTemplateWarnings(controller?.template, spec.child('template'));
  return messages.length === 0
    ? warnings
    : [
        `metadata.name: this is used in Pod names and hostnames, which can result in surprising behavior; a DNS label is recommended: [${messages.join(' ')}]`,
        ...warnings,
      ];
}

function validateStatus(controller: ReplicationControllerStatus): FieldError[] {
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = controller;
  const path = FieldPath.of('status');
  const parts = { fullyLabeledReplicas, readyReplicas, availableReplicas };
  const errors = nonNegative(path.child('replicas'), replicas);
  for (const [name, value] of Object.entries(parts)) errors.push(...nonNegative(path.child(name), value));
  errors.push(...nonNegative(path.child('observedGeneration'), controller.observedGeneration));
  for (const [name, value] of Object.entries(parts))
    if (value > replicas) errors.push(invalidValue(path.child(name), value, 'cannot be greater than status.replicas'));
  if (availableReplicas > readyReplicas)
    errors.push(
      invalidValue(path.child('availableReplicas'), availableReplicas, 'cannot be greater than readyReplicas'),
    );
  return errors;
}
