import { type FieldError, FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { hasInvalidLabelValue, validateLabelSelector } from '../../apimachinery/labels.ts';
import { ageColumn, column, containerColumns, formatLabelSelector, formatLabels, nameColumn } from '../columns.ts';
import { dropDisabledTemplateFields } from '../core/pod-spec/index.ts';
import { defineKind } from '../define.ts';
import { immutable, nonNegative, semanticEqual } from '../field-checks.ts';
import { intOrPercentNumber, validateAtMost100Percent, validateIntOrPercent } from '../int-or-percent.ts';
import type { DaemonSet, DaemonSetSpec, DaemonSetStatus, DaemonSetUpdateStrategy } from '../types/apps.v1.gen.ts';
import {
  defaultWorkloadTemplate,
  selectsByNothing,
  templateWarnings,
  validateCollisionCount,
  validateLongRunningTemplate,
  validateSelectorMatchesTemplate,
} from './pod-template.ts';

const spec = FieldPath.of('spec');
const status = FieldPath.of('status');
const templateGeneration = 'deprecated.daemonset.template.generation';

const count = { type: 'integer' } as const;

export const daemonSet = defineKind<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  generation: 'spec',
  default: setDefaults,
  prepareForCreate: (object) => {
    dropDisabledTemplateFields(object.spec?.template, undefined);
    const given = Number(object.metadata.annotations?.[templateGeneration]) || 1;
    setTemplateGeneration(object, Math.max(given, 1));
  },
  prepareForUpdate: (object, old) => {
    dropDisabledTemplateFields(object.spec?.template, old.spec?.template);
    const before = Number(old.metadata.annotations?.[templateGeneration]) || 1;
    const changed = !semanticEqual(object.spec?.template, old.spec?.template);
    setTemplateGeneration(object, changed ? before + 1 : before);
  },
  validate: (object, old) => validateSpec(object.spec, old?.spec),
  validateUpdate: (object, old) => immutable(spec.child('selector'), object.spec?.selector, old.spec?.selector),
  warnings: (object, old) => templateWarnings(spec.child('template'), object.spec?.template, object, old),
  subresources: {
    status: {
      validateUpdate: (object, old) => [
        ...validateStatus(object.status),
        ...validateCollisionCount(
          status.child('collisionCount'),
          object.status?.collisionCount,
          old.status?.collisionCount,
        ),
      ],
    },
  },
  columns: [
    nameColumn,
    column('Desired', ({ status }) => status?.desiredNumberScheduled ?? 0, {
      ...count,
      description: 'Nodes that should run the pod',
    }),
    column('Current', ({ status }) => status?.currentNumberScheduled ?? 0, {
      ...count,
      description: 'Nodes that run the pod and should',
    }),
    column('Ready', ({ status }) => status?.numberReady ?? 0, { ...count, description: 'Nodes whose pod is ready' }),
    column('Up-to-date', ({ status }) => status?.updatedNumberScheduled ?? 0, {
      ...count,
      description: 'Nodes whose pod has the newest template',
    }),
    column('Available', ({ status }) => status?.numberAvailable ?? 0, {
      ...count,
      description: 'Nodes whose pod is available',
    }),
    column('Node Selector', ({ spec }) => formatLabels(spec.template.spec?.nodeSelector), {
      description: 'Labels that a node must have',
    }),
    ageColumn,
    ...containerColumns<DaemonSet>((object) => object.spec.template.spec?.containers),
    column('Selector', ({ spec }) => formatLabelSelector(spec.selector), {
      wide: true,
      description: 'Label selector of the pods',
    }),
  ],
});

function setDefaults({ spec }: Draft<DaemonSet>): void {
  if (!spec) return;
  spec.updateStrategy ??= {};
  spec.updateStrategy.type ||= 'RollingUpdate';
  if (spec.updateStrategy.type === 'RollingUpdate') {
    spec.updateStrategy.rollingUpdate ??= {};
    spec.updateStrategy.rollingUpdate.maxUnavailable ??= 1;
    spec.updateStrategy.rollingUpdate.maxSurge ??= 0;
  }
  spec.revisionHistoryLimit ??= 10;
  defaultWorkloadTemplate(spec);
}

function setTemplateGeneration(object: Draft<DaemonSet>, generation: number): void {
  object.metadata.annotations = { ...object.metadata.annotations, [templateGeneration]: String(generation) };
}

function validateSpec(daemonSet: DaemonSetSpec | undefined, old: DaemonSetSpec | undefined): FieldError[] {
  const { selector, template, minReadySeconds, updateStrategy, revisionHistoryLimit } =
    daemonSet ?? ({} as Partial<DaemonSetSpec>);
  const at = spec.child('selector');
  const path = spec.child('template');
  const errors = [
    ...validateLabelSelector(selector, at, hasInvalidLabelValue(old?.selector)),
    ...validateSelectorMatchesTemplate(path, template ?? {}, selector),
    ...(selector && selectsByNothing(selector)
      ? [invalidValue(at, selector, 'empty selector is invalid for daemonset')]
      : []),
    ...validateLongRunningTemplate(path, template ?? {}, 'DaemonSet', old?.template),
  ];
  return [
    ...errors,
    ...nonNegative(spec.child('minReadySeconds'), minReadySeconds),
    ...validateUpdateStrategy(updateStrategy ?? {}),
    ...nonNegative(spec.child('revisionHistoryLimit'), revisionHistoryLimit),
  ];
}

function validateUpdateStrategy(strategy: DaemonSetUpdateStrategy): FieldError[] {
  const path = spec.child('updateStrategy');
  if (strategy.type === 'OnDelete') return [];
  if (strategy.type !== 'RollingUpdate') return [notSupported(path, strategy, ['RollingUpdate', 'OnDelete'])];
  const rolling = path.child('rollingUpdate');
  if (!strategy.rollingUpdate) return [required(rolling)];
  const { maxUnavailable, maxSurge } = strategy.rollingUpdate;
  const errors = [
    ...validateIntOrPercent(rolling.child('maxUnavailable'), maxUnavailable),
    ...validateIntOrPercent(rolling.child('maxSurge'), maxSurge),
    ...validateAtMost100Percent(rolling.child('maxUnavailable'), maxUnavailable),
    ...validateAtMost100Percent(rolling.child('maxSurge'), maxSurge),
  ];
  const unavailable = intOrPercentNumber(maxUnavailable) !== 0;
  const surge = intOrPercentNumber(maxSurge) !== 0;
  if (unavailable && surge)
    errors.push(invalidValue(rolling.child('maxSurge'), maxSurge, 'may not be set when maxUnavailable is non-zero'));
  if (!unavailable && !surge) errors.push(required(rolling.child('maxUnavailable'), 'cannot be 0 when maxSurge is 0'));
  return errors;
}

function validateStatus(daemonSet: DaemonSetStatus | undefined): FieldError[] {
  const counters = [
    'currentNumberScheduled',
    'numberMisscheduled',
    'desiredNumberScheduled',
    'numberReady',
    'observedGeneration',
    'updatedNumberScheduled',
    'numberAvailable',
    'numberUnavailable',
    'collisionCount',
  ] as const;
  return counters.flatMap((counter) => nonNegative(status.child(counter), daemonSet?.[counter]));
}
