import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { ageColumn, column, containerColumns, nameColumn } from '../columns.ts';
import { defaultClaimSpec, defaultPodTemplateSpec, validateAnnotations } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { nonNegative, optionalOneOf, semanticEqual } from '../field-checks.ts';
import { intOrPercentNumber, validateAtMost100Percent, validateIntOrPercent } from '../int-or-percent.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetStatus } from '../types/apps.v1.gen.ts';
import {
  validateCollisionCount,
  validateRunsForEver,
  validateSelectorMatchesTemplate,
  validateWorkloadSelector,
} from './pod-template.ts';
import { selectorText } from './scale.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');

/** What an update of the spec may change. */
const mutable = [
  'replicas',
  'ordinals',
  'template',
  'updateStrategy',
  'revisionHistoryLimit',
  'persistentVolumeClaimRetentionPolicy',
  'minReadySeconds',
] as const;

export const statefulSet = defineKind<StatefulSet>({
  group: 'apps',
  version: 'v1',
  kind: 'StatefulSet',
  nameFormat: 'dns1123Label',
  generation: 'spec',
  default: setDefaults,
  validate: (object) => validateSpec(object.spec),
  validateUpdate: (object, old) => {
    const rest = (given: StatefulSetSpec) => {
      const copy: Record<string, unknown> = { ...given };
      for (const field of mutable) delete copy[field];
      return copy;
    };
    return semanticEqual(rest(object.spec), rest(old.spec))
      ? []
      : [
          forbiddenField(
            spec,
            "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
          ),
        ];
  },
  subresources: {
    status: {
      validateUpdate: (object, old) => [
        ...validateStatus(object.status ?? { replicas: 0 }),
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
    ageColumn,
    ...containerColumns<StatefulSet>((object) => object.spec.template.spec?.containers),
  ],
});

function setDefaults({ spec }: Draft<StatefulSet>): void {
  if (!spec) return;
  spec.podManagementPolicy ||= 'OrderedReady';
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.partition ??= 0;
  }
  spec.persistentVolumeClaimRetentionPolicy ??= {};
  spec.persistentVolumeClaimRetentionPolicy.whenDeleted ||= 'Retain';
  spec.persistentVolumeClaimRetentionPolicy.whenScaled ||= 'Retain';
  spec.replicas ??= 1;
  spec.revisionHistoryLimit ??= 10;
  if (spec.template) defaultPodTemplateSpec(spec.template);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    claim.spec ??= {};
    defaultClaimSpec(claim.spec);
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
}

function validateSpec(statefulSet: StatefulSetSpec | undefined): FieldError[] {
  const given = statefulSet ?? ({} as Partial<StatefulSetSpec>);
  const { podManagementPolicy, selector, template } = given;
  const errors: FieldError[] = [];
  if (!podManagementPolicy) errors.push(required(spec.child('podManagementPolicy')));
  else if (!['OrderedReady', 'Parallel'].includes(podManagementPolicy))
    errors.push(
      invalidValue(spec.child('podManagementPolicy'), podManagementPolicy, "must be 'OrderedReady' or 'Parallel'"),
    );
  errors.push(...validateUpdateStrategy(given.updateStrategy ?? {}));

  const retention = spec.child('persistentVolumeClaimRetentionPolicy');
  const policies = ['Retain', 'Delete'];
  errors.push(
    ...optionalOneOf(retention.child('whenDeleted'), given.persistentVolumeClaimRetentionPolicy?.whenDeleted, policies),
    ...optionalOneOf(retention.child('whenScaled'), given.persistentVolumeClaimRetentionPolicy?.whenScaled, policies),
    ...nonNegative(spec.child('replicas'), given.replicas),
    ...nonNegative(spec.child('minReadySeconds'), given.minReadySeconds),
    ...nonNegative(spec.child('ordinals', 'start'), given.ordinals?.start),
    ...nonNegative(spec.child('revisionHistoryLimit'), given.revisionHistoryLimit),
  );

  if (!selector) errors.push(required(spec.child('selector')));
  else errors.push(...validateWorkloadSelector(spec.child('selector'), selector, 'statefulset'));
  const path = spec.child('template');
  if (!template) return [...errors, required(path)];
  // The pod spec is not checked here: its volume mounts may name claims that the templates make.
  return [
    ...errors,
    ...validateSelectorMatchesTemplate(path, template, selector),
    ...validateLabels(template.metadata?.labels, path.child('labels')),
    ...validateAnnotations(template.metadata?.annotations, path.child('annotations')),
    ...validateRunsForEver(path, template, 'StatefulSet'),
  ];
}

function validateUpdateStrategy(strategy: NonNullable<StatefulSetSpec['updateStrategy']>): FieldError[] {
  const path = spec.child('updateStrategy');
  const rolling = path.child('rollingUpdate');
  switch (strategy.type) {
    case undefined:
    case '':
      return [required(path)];
    case 'OnDelete':
      return strategy.rollingUpdate
        ? [invalidValue(rolling, strategy.rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'")]
        : [];
    case 'RollingUpdate': {
      const { partition, maxUnavailable } = strategy.rollingUpdate ?? {};
      const errors = nonNegative(rolling.child('partition'), partition);
      if (maxUnavailable === undefined) return errors;
      const limit = rolling.child('maxUnavailable');
      errors.push(...validateIntOrPercent(limit, maxUnavailable));
      if (intOrPercentNumber(maxUnavailable) === 0) errors.push(invalidValue(limit, maxUnavailable, 'cannot be 0'));
      return [...errors, ...validateAtMost100Percent(limit, maxUnavailable)];
    }
    default:
      return [invalidValue(path, strategy, "must be 'RollingUpdate' or 'OnDelete'")];
  }
}

function validateStatus(statefulSet: StatefulSetStatus): FieldError[] {
  const {
    replicas = 0,
    readyReplicas = 0,
    currentReplicas = 0,
    updatedReplicas = 0,
    availableReplicas = 0,
  } = statefulSet;
  const parts = { readyReplicas, currentReplicas, updatedReplicas, availableReplicas };
  const errors = nonNegative(status.child('replicas'), replicas);
  for (const [name, value] of Object.entries(parts)) errors.push(...nonNegative(status.child(name), value));
  errors.push(
    ...nonNegative(status.child('observedGeneration'), statefulSet.observedGeneration),
    ...nonNegative(status.child('collisionCount'), statefulSet.collisionCount),
  );
  for (const [name, value] of Object.entries(parts))
    if (value > replicas)
      errors.push(invalidValue(status.child(name), value, 'cannot be greater than status.replicas'));
  if (availableReplicas > readyReplicas)
    errors.push(
      invalidValue(status.child('availableReplicas'), availableReplicas, 'cannot be greater than status.readyReplicas'),
    );
  return errors;
}
