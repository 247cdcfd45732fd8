import {
  duplicate,
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabelName, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { optionalOneOf } from '../../field-checks.ts';
import type { PodSchedulingGate, Toleration, TopologySpreadConstraint } from '../../types/core.v1.gen.ts';
import type { PodAllowances } from './allowances.ts';
import { validateLabelKeys } from './label-keys.ts';

export const taintEffects = ['NoSchedule', 'PreferNoSchedule', 'NoExecute'];

const operators = ['Equal', 'Exists'];
/** What an operator is told that may come: comparing numbers is not served yet. */
const comingOperators = [...operators, 'Lt', 'Gt'];

/** `comparing`: the operators Lt and Gt are allowed. */
export function validateTolerations(
  tolerations: readonly Toleration[] | undefined,
  path: FieldPath,
  comparing = false,
): FieldError[] {
  return (tolerations ?? []).flatMap((toleration, index) => {
    const at = path.index(index);
    const { key, operator = '', value = '', effect, tolerationSeconds } = toleration;
    const errors: FieldError[] = [];
    if (key) errors.push(...validateLabelName(key, at.child('key')));
    if (!key && operator !== 'Exists')
      errors.push(
        invalidValue(
          at.child('operator'),
          operator,
          'operator must be Exists when `key` is empty, which means "match all values and all keys"',
        ),
      );
    if (tolerationSeconds !== undefined && effect !== 'NoExecute')
      errors.push(
        invalidValue(at.child('effect'), effect ?? '', "effect must be 'NoExecute' when `tolerationSeconds` is set"),
      );
    if (operator === '' || operator === 'Equal') {
      const messages = isLabelValue(value);
      if (messages.length > 0) errors.push(invalidValue(at.child('operator'), value, messages.join(';')));
    } else if (operator === 'Exists') {
      if (value)
        errors.push(invalidValue(at.child('operator'), value, "value must be empty when `operator` is 'Exists'"));
    } else if (comparing && (operator === 'Lt' || operator === 'Gt')) {
      if (!isDecimalInteger(value))
        errors.push(invalidValue(at.child('value'), value, 'must be a valid decimal integer in canonical form'));
    } else {
      const coming = operator === 'Lt' || operator === 'Gt';
      errors.push(notSupported(at.child('operator'), operator, coming ? comingOperators : operators));
    }
    if (effect) errors.push(...optionalOneOf(at.child('effect'), effect, taintEffects));
    return errors;
  });
}

/** What Go's int64 takes, as it would write it. */
const isDecimalInteger = (text: string) =>
  /^(?:0|-?[1-9]\d*)$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text);

export function validateTopologySpread(
  constraints: readonly TopologySpreadConstraint[] | undefined,
  path: FieldPath,
  { anySpreadLabelKeys, anySpreadSelector }: PodAllowances,
): FieldError[] {
  const pairOf = ({ topologyKey, whenUnsatisfiable }: TopologySpreadConstraint) =>
    `{${topologyKey ?? ''}, ${whenUnsatisfiable ?? ''}}`;
  return (constraints ?? []).flatMap((constraint, index, all) => {
    const at = path.index(index);
    const { maxSkew, topologyKey, whenUnsatisfiable = '', minDomains } = constraint;
    const errors: FieldError[] = [];
    const positive = (field: 'maxSkew' | 'minDomains', value: number) => {
      if (!(value > 0)) errors.push(invalidValue(at.child(field), value, 'must be greater than zero'));
    };
    positive('maxSkew', maxSkew ?? 0);
    if (!topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'));
    if (!whenActions.includes(whenUnsatisfiable))
      errors.push(notSupported(at.child('whenUnsatisfiable'), whenUnsatisfiable, whenActions));
    const pair = pairOf(constraint);
    if (all.slice(index + 1).some((later) => pairOf(later) === pair))
      errors.push(duplicate(at.child('{topologyKey, whenUnsatisfiable}'), pair));
    if (minDomains !== undefined) {
      positive('minDomains', minDomains);
      if (whenUnsatisfiable !== 'DoNotSchedule')
        errors.push(
          invalidValue(
            at.child('minDomains'),
            minDomains,
            `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`,
          ),
        );
    }
    for (const field of ['nodeAffinityPolicy', 'nodeTaintsPolicy'] as const)
      errors.push(...optionalOneOf(at.child(field), constraint[field], ['Honor', 'Ignore']));
    if (!anySpreadLabelKeys) errors.push(...validateLabelKeys(constraint, at));
    if (!anySpreadSelector) errors.push(...validateLabelSelector(constraint.labelSelector, at.child('labelSelector')));
    return errors;
  });
}

const whenActions = ['DoNotSchedule', 'ScheduleAnyway'];

export function validateSchedulingGates(
  gates: readonly PodSchedulingGate[] | undefined,
  path: FieldPath,
): FieldError[] {
  const names = new Set<string>();
  return (gates ?? []).flatMap(({ name }, index) => {
    const errors = isQualifiedName(name ?? '').map((message) => invalidValue(path.index(index), name ?? '', message));
    if (names.has(name)) errors.push(duplicate(path.index(index), name));
    names.add(name);
    return errors;
  });
}
