import { type FieldError, FieldPath, forbiddenField, invalidValue, notSupported } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { labelSelectorMatcher } from '../../apimachinery/labels.ts';
import { ageColumn, column, containerColumns, nameColumn } from '../columns.ts';
import { dropDisabledTemplateFields } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { immutable, nonNegative } from '../field-checks.ts';
import { intOrPercentNumber, validateAtMost100Percent, validateIntOrPercent } from '../int-or-percent.ts';
import { keepLabels } from '../status-metadata.ts';
import type { Deployment, DeploymentSpec, DeploymentStatus, DeploymentStrategy } from '../types/apps.v1.gen.ts';
import {
  defaultWorkloadTemplate,
  nameWarnings,
  templateWarnings,
  validateCollisionCount,
  validateLongRunningTemplate,
  validateSelectorAndTemplate,
} from './pod-template.ts';
import { selectorText } from './scale.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');

export const deployment = defineKind<Deployment>({
  group: 'apps',
  version: 'v1',
  kind: 'Deployment',
  // Annotations are handed on to ReplicaSets.
  generation: 'specAndAnnotations',
  default: setDefaults,
  prepareForCreate: (object) => dropDisabledTemplateFields(object.spec?.template, undefined),
  prepareForUpdate: (object, old) => dropDisabledTemplateFields(object.spec?.template, old.spec?.template),
  validate: (object, old) => validateSpec(object.spec, old?.spec),
  validateUpdate: (object, old) => immutable(spec.child('selector'), object.spec?.selector, old.spec?.selector),
  warnings: (object, old) => [
    ...nameWarnings(object, old),
    ...templateWarnings(spec.child('template'), object.spec?.template, object, old),
  ],
  subresources: {
    status: {
      prepareForUpdate: keepLabels,
      validateUpdate: (object, old) => [
        ...validateStatus(object.status ?? {}),
        ...validateCollisionCount(
          status.child('collisionCount'),
          object.status?.collisionCount,
          old.status?.collisionCount,
        ),
      ],
    },
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
    column('Ready', ({ spec, status }) => `${status?.readyReplicas ?? 0}/${spec.replicas ?? 0}`, {
      description: 'Ready pods out of the desired ones',
    }),
    column('Up-to-date', ({ status }) => status?.updatedReplicas ?? 0, {
      description: 'Pods that have the newest template',
    }),
    column('Available', ({ status }) => status?.availableReplicas ?? 0, {
      description: 'Pods ready for at least minReadySeconds',
    }),
    ageColumn,
    ...containerColumns<Deployment>((object) => object.spec.template.spec?.containers),
    column('Selector', ({ spec }) => labelSelectorMatcher(spec.selector).toString(), {
      wide: true,
      description: 'Label selector of the pods',
    }),
  ],
});

function setDefaults({ spec }: Draft<Deployment>): void {
  if (!spec) return;
  spec.replicas ??= 1;
  spec.strategy ??= {};
  spec.strategy.type ||= 'RollingUpdate';
  if (spec.strategy.type === 'RollingUpdate') {
    spec.strategy.rollingUpdate ??= {};
    spec.strategy.rollingUpdate.maxUnavailable ??= '25%';
    spec.strategy.rollingUpdate.maxSurge ??= '25%';
  }
  spec.revisionHistoryLimit ??= 10;
  spec.progressDeadlineSeconds ??= 600;
  defaultWorkloadTemplate(spec);
}

function validateSpec(deployment: DeploymentSpec | undefined, old: DeploymentSpec | undefined): FieldError[] {
  const { replicas, selector, template, strategy, minReadySeconds, revisionHistoryLimit, progressDeadlineSeconds } =
    deployment ?? ({} as Partial<DeploymentSpec>);
  const errors = nonNegative(spec.child('replicas'), replicas);
  errors.push(
    ...validateSelectorAndTemplate(
      spec,
      selector,
      template,
      { kind: 'deployment', invalidSelector: 'invalid label selector' },
      (pods, path) => validateLongRunningTemplate(path, pods, 'ReplicaSet', old?.template),
      old?.selector,
    ),
  );
  errors.push(
    ...validateStrategy(strategy ?? {}),
    ...nonNegative(spec.child('minReadySeconds'), minReadySeconds),
    ...nonNegative(spec.child('revisionHistoryLimit'), revisionHistoryLimit),
    ...nonNegative(spec.child('progressDeadlineSeconds'), progressDeadlineSeconds),
  );
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= (minReadySeconds ?? 0))
    errors.push(
      invalidValue(
        spec.child('progressDeadlineSeconds'),
        progressDeadlineSeconds,
        'must be greater than minReadySeconds',
      ),
    );
  return errors;
}

function validateStrategy(strategy: DeploymentStrategy): FieldError[] {
  const path = spec.child('strategy');
  const rolling = path.child('rollingUpdate');
  switch (strategy.type) {
    case 'Recreate':
      return strategy.rollingUpdate
        ? [forbiddenField(rolling, "may not be specified when strategy `type` is 'Recreate'")]
        : [];
    case 'RollingUpdate': {
      const { maxUnavailable, maxSurge } = strategy.rollingUpdate ?? {};
      const errors = [
        ...validateIntOrPercent(rolling.child('maxUnavailable'), maxUnavailable),
        ...validateIntOrPercent(rolling.child('maxSurge'), maxSurge),
      ];
      if (intOrPercentNumber(maxUnavailable) === 0 && intOrPercentNumber(maxSurge) === 0)
        errors.push(invalidValue(rolling.child('maxUnavailable'), maxUnavailable, 'may not be 0 when `maxSurge` is 0'));
      return [...errors, ...validateAtMost100Percent(rolling.child('maxUnavailable'), maxUnavailable)];
    }
    default:
      return [notSupported(path, strategy, ['Recreate', 'RollingUpdate'])];
  }
}

function validateStatus(deployment: DeploymentStatus): FieldError[] {
  const { replicas = 0, updatedReplicas = 0, readyReplicas = 0, availableReplicas = 0 } = deployment;
  const errors = [
    ...nonNegative(status.child('observedGeneration'), deployment.observedGeneration),
    ...nonNegative(status.child('replicas'), replicas),
    ...nonNegative(status.child('updatedReplicas'), updatedReplicas),
    ...nonNegative(status.child('readyReplicas'), readyReplicas),
    ...nonNegative(status.child('availableReplicas'), availableReplicas),
    ...nonNegative(status.child('unavailableReplicas'), deployment.unavailableReplicas),
    ...nonNegative(status.child('terminatingReplicas'), deployment.terminatingReplicas),
    ...nonNegative(status.child('collisionCount'), deployment.collisionCount),
  ];
  const message = 'cannot be greater than status.replicas';
  if (updatedReplicas > replicas) errors.push(invalidValue(status.child('updatedReplicas'), updatedReplicas, message));
  if (readyReplicas > replicas) errors.push(invalidValue(status.child('readyReplicas'), readyReplicas, message));
  if (availableReplicas > replicas)
    errors.push(invalidValue(status.child('availableReplicas'), availableReplicas, message));
  if (availableReplicas > readyReplicas)
    errors.push(
      invalidValue(status.child('availableReplicas'), availableReplicas, 'cannot be greater than readyReplicas'),
    );
  return errors;
}
