import { type FieldError, FieldPath, forbiddenField, invalidValue, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { validateLabels } from '../../apimachinery/labels.ts';
import { isDns1123Label } from '../../apimachinery/names.ts';
import { isQuantity, parseQuantity } from '../../apimachinery/quantity.ts';
import { ageColumn, column, containerColumns, nameColumn } from '../columns.ts';
import { validateClaimSpec } from '../core/claim-spec.ts';
import { internalForm } from '../core/internal-form.ts';
import { podAllowances } from '../core/pod-allowances.ts';
import {
  defaultClaimSpec,
  dropDisabledTemplateFields,
  validateAnnotations,
  validatePodSpec,
} from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { invalidFor, nonNegative, optionalOneOf, semanticEqual } from '../field-checks.ts';
import { intOrPercentNumber, validateAtMost100Percent, validateIntOrPercent } from '../int-or-percent.ts';
import type { StatefulSet, StatefulSetSpec, StatefulSetStatus } from '../types/apps.v1.gen.ts';
import {
  defaultWorkloadTemplate,
  templateWarnings,
  validateCollisionCount,
  validateRunsForEver,
  validateSelectorAndTemplate,
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
  prepareForCreate: (object) => {
    dropMaxUnavailable(object);
    dropDisabledTemplateFields(object.spec?.template, undefined);
  },
  prepareForUpdate: (object, old) => {
    if (old.spec.updateStrategy?.rollingUpdate?.maxUnavailable === undefined) dropMaxUnavailable(object);
    dropDisabledTemplateFields(object.spec?.template, old.spec.template);
  },
  validate: (object, old) => validateSpec(object.spec, old?.spec),
  validateCreate: validateNew,
  validateUpdate: (object, old) => [
    // A template that was let in before it was checked may stay.
    ...(validateTemplate(old.spec, undefined).length > 0 ? [] : validateTemplate(object.spec, old.spec)),
    ...validateImmutable(object.spec, old.spec),
  ],
  warnings: (object, old) => [
    ...templateWarnings(spec.child('template'), object.spec?.template, object, old),
    ...claimWarnings(object.spec, old !== undefined),
    ...((object.spec?.revisionHistoryLimit ?? 0) < 0
      ? ['spec.revisionHistoryLimit: a negative value retains all historical revisions; a value >= 0 is recommended']
      : []),
  ],
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

/** Updates of more than one pod at a time are off in this version: what asks for them is dropped. */
function dropMaxUnavailable({ spec }: Draft<StatefulSet>): void {
  delete spec?.updateStrategy?.rollingUpdate?.maxUnavailable;
}

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
  defaultWorkloadTemplate(spec);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    claim.apiVersion ||= 'v1';
    claim.kind ||= 'PersistentVolumeClaim';
    claim.spec ??= {};
    defaultClaimSpec(claim.spec);
    claim.status ??= {};
    claim.status.phase ||= 'Pending';
  }
}

function validateSpec(statefulSet: StatefulSetSpec | undefined, old: StatefulSetSpec | undefined): FieldError[] {
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
  );

  // The pod spec is for `validateTemplate`: what was accepted once may stay as it is.
  const words = { kind: 'statefulset', invalidSelector: '' };
  return [
    ...errors,
    ...validateSelectorAndTemplate(
      spec,
      selector,
      template,
      words,
      (pods, path) => [
        ...validateLabels(pods.metadata?.labels, path.child('labels')),
        ...validateAnnotations(pods.metadata?.annotations, path.child('annotations')),
        ...validateRunsForEver(path, pods, 'StatefulSet'),
      ],
      old?.selector,
    ),
  ];
}

function validateImmutable(given: StatefulSetSpec, old: StatefulSetSpec): FieldError[] {
  const rest = (whole: StatefulSetSpec) => {
    const copy: Record<string, unknown> = { ...whole };
    for (const field of mutable) delete copy[field];
    return copy;
  };
  return semanticEqual(rest(given), rest(old))
    ? []
    : [
        forbiddenField(
          spec,
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        ),
      ];
}

function validateNew({ spec: given }: StatefulSet): FieldError[] {
  const { volumeClaimTemplates = [], serviceName } = given ?? ({} as Partial<StatefulSetSpec>);
  const claims = spec.child('volumeClaimTemplates');
  return [
    ...volumeClaimTemplates.flatMap((claim, index) =>
      validateClaimSpec(claim.spec ?? {}, claims.index(index).child('spec')),
    ),
    ...(serviceName ? invalidFor(spec.child('serviceName'), serviceName, isDns1123Label(serviceName)) : []),
    ...validateTemplate(given, undefined),
  ];
}

/** The pod spec as its pods will have it: a claim of the set takes the place of a volume of its name. */
function validateTemplate(given: StatefulSetSpec | undefined, old: StatefulSetSpec | undefined): FieldError[] {
  const pod = given?.template?.spec;
  if (!pod) return [];
  const claims = new Set((given.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? ''));
  const volumes = [
    ...[...claims].map((name) => ({ name, persistentVolumeClaim: { claimName: name } })),
    ...(pod.volumes ?? []).filter(({ name }) => !claims.has(name)),
  ];
  return validatePodSpec({ ...pod, volumes }, spec.child('template', 'spec'), podAllowances(old?.template));
}

/** Places are spelled as the reference does: not the same way when created and when updated. */
function claimWarnings(given: StatefulSetSpec | undefined, isUpdate: boolean): string[] {
  return (given?.volumeClaimTemplates ?? []).flatMap((claim, index) =>
    (['requests', 'limits'] as const).flatMap((list) => {
      const amount = claim.spec?.resources?.[list]?.storage;
      if (amount === undefined || !isQuantity(amount) || parseQuantity(amount).milliValue() % 1000 === 0) return [];
      const template = spec.child('volumeClaimTemplates').index(index);
      const path = (isUpdate ? template.child('Spec') : template).child('resources', list).key('storage');
      return [`${path}: fractional byte value ${JSON.stringify(amount)} is invalid, must be an integer`];
    }),
  );
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
      return [
        invalidValue(
          path,
          internalForm('StatefulSetUpdateStrategy', strategy),
          "must be 'RollingUpdate' or 'OnDelete'",
        ),
      ];
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
