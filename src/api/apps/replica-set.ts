import { type FieldError, FieldPath, invalidValue } from '../../apimachinery/field.ts';
import { ageColumn, column, containerColumns, formatLabelSelector, nameColumn } from '../columns.ts';
import { dropDisabledTemplateFields } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';
import type { ReplicaSet, ReplicaSetSpec, ReplicaSetStatus } from '../types/apps.v1.gen.ts';
import {
  defaultWorkloadTemplate,
  nameWarnings,
  templateWarnings,
  validateLongRunningTemplate,
  validateSelectorAndTemplate,
} from './pod-template.ts';
import { selectorText } from './scale.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');

export const replicaSet = defineKind<ReplicaSet>({
  group: 'apps',
  version: 'v1',
  kind: 'ReplicaSet',
  generation: 'spec',
  default: ({ spec }) => {
    if (!spec) return;
    spec.replicas ??= 1;
    defaultWorkloadTemplate(spec);
  },
  prepareForCreate: (object) => dropDisabledTemplateFields(object.spec?.template, undefined),
  prepareForUpdate: (object, old) => dropDisabledTemplateFields(object.spec?.template, old.spec?.template),
  validate: (object, old) => validateSpec(object.spec, old?.spec),
  validateUpdate: (object, old) => immutable(spec.child('selector'), object.spec?.selector, old.spec?.selector),
  warnings: (object, old) => [
    ...nameWarnings(object, old),
    ...templateWarnings(spec.child('template'), object.spec?.template, object, old),
  ],
  subresources: {
    status: { validateUpdate: (object) => validateStatus(object.status ?? { replicas: 0 }) },
    scale: {
      getReplicas: (object) => object.spec.replicas,
      setReplicas: (object, replicas) => {
        object.spec.replicas = replicas;
      },
      statusReplicas: (object) => object.status?.replicas ?? 0,
      selector: (object) => selectorText(object.spec.selector),
      specPath: '.spec.replicas',
      version: 'autoscaling/v1',
    },
  },
  columns: [
    nameColumn,
    column('Desired', ({ spec }) => spec.replicas ?? 0, { type: 'integer', description: 'Pods wanted' }),
    column('Current', ({ status }) => status?.replicas ?? 0, { type: 'integer', description: 'Pods that exist' }),
    column('Ready', ({ status }) => status?.readyReplicas ?? 0, {
      type: 'integer',
      description: 'Pods that are ready',
    }),
    ageColumn,
    ...containerColumns<ReplicaSet>((object) => object.spec.template?.spec?.containers),
    column('Selector', ({ spec }) => formatLabelSelector(spec.selector), {
      wide: true,
      description: 'Label selector of the pods',
    }),
  ],
  selectableFields: { 'status.replicas': (object) => String(object.status?.replicas ?? 0) },
});

function validateSpec(replicaSet: ReplicaSetSpec | undefined, old: ReplicaSetSpec | undefined): FieldError[] {
  const { replicas, minReadySeconds, selector, template } = replicaSet ?? ({} as Partial<ReplicaSetSpec>);
  const errors = [
    ...nonNegative(spec.child('replicas'), replicas),
    ...nonNegative(spec.child('minReadySeconds'), minReadySeconds),
  ];
  // "deployment" is the word upstream uses here too.
  const words = { kind: 'deployment', invalidSelector: 'invalid label selector' };
  return [
    ...errors,
    ...validateSelectorAndTemplate(
      spec,
      selector,
      template,
      words,
      (pods, path) => validateLongRunningTemplate(path, pods, 'ReplicaSet', old?.template),
      old?.selector,
    ),
  ];
}

function validateStatus(replicaSet: ReplicaSetStatus): FieldError[] {
  const { replicas = 0, fullyLabeledReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = replicaSet;
  const errors = [
    ...nonNegative(status.child('replicas'), replicas),
    ...nonNegative(status.child('fullyLabeledReplicas'), fullyLabeledReplicas),
    ...nonNegative(status.child('readyReplicas'), readyReplicas),
    ...nonNegative(status.child('availableReplicas'), availableReplicas),
    ...nonNegative(status.child('terminatingReplicas'), replicaSet.terminatingReplicas),
    ...nonNegative(status.child('observedGeneration'), replicaSet.observedGeneration),
  ];
  const message = 'cannot be greater than status.replicas';
  if (fullyLabeledReplicas > replicas)
    errors.push(invalidValue(status.child('fullyLabeledReplicas'), fullyLabeledReplicas, message));
  if (readyReplicas > replicas) errors.push(invalidValue(status.child('readyReplicas'), readyReplicas, message));
  if (availableReplicas > replicas)
    errors.push(invalidValue(status.child('availableReplicas'), availableReplicas, message));
  if (availableReplicas > readyReplicas)
    errors.push(
      invalidValue(status.child('availableReplicas'), availableReplicas, 'cannot be greater than readyReplicas'),
    );
  return errors;
}
