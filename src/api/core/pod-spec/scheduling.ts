import {
  duplicate,
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../../apimachinery/field.ts';
import { validateLabelName, validateLabelSelector } from '../../../apimachinery/labels.ts';
import { isLabelValue, isQualifiedName } from '../../../apimachinery/names.ts';
import { optionalOneOf } from '../../field-checks.ts';
import type { PodSchedulingGate, Toleration, TopologySpreadConstraint } from '../../types/core.v1.gen.ts';

export const taintEffects = ['NoExecute', 'NoSchedule', 'PreferNoSchedule'];

export function validateTolerations(tolerations: readonly Toleration[] | undefined, path: FieldPath): FieldError[] {
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
        errors.push(invalidValue(at.child('operator'), toleration, "value must be empty when `operator` is 'Exists'"));
    } else errors.push(notSupported(at.child('operator'), operator, ['Equal', 'Exists']));
    if (effect) errors.push(...optionalOneOf(at.child('effect'), effect, taintEffects));
    return errors;
  });
}

export function validateTopologySpread(
  constraints: readonly TopologySpreadConstraint[] | undefined,
  path: FieldPath,
): FieldError[] {
  const pairs = new Set<string>();
  return (constraints ?? []).flatMap((constraint, index) => {
    const at = path.index(index);
    const { maxSkew, topologyKey, whenUnsatisfiable, minDomains } = constraint;
    const errors: FieldError[] = [];
    if (!(maxSkew > 0)) errors.push(invalidValue(at.child('maxSkew'), maxSkew, 'must be greater than zero'));
    if (!topologyKey) errors.push(required(at.child('topologyKey'), 'can not be empty'));
    else errors.push(...validateLabelName(topologyKey, at.child('topologyKey')));
    if (whenUnsatisfiable !== 'DoNotSchedule' && whenUnsatisfiable !== 'ScheduleAnyway')
      errors.push(
        notSupported(at.child('whenUnsatisfiable'), whenUnsatisfiable ?? '', ['DoNotSchedule', 'ScheduleAnyway']),
      );
    const pair = `{${topologyKey}, ${whenUnsatisfiable}}`;
    if (pairs.has(pair)) errors.push(duplicate(at.child('{topologyKey, whenUnsatisfiable}'), pair));
    pairs.add(pair);
    if (minDomains !== undefined) {
      if (minDomains <= 0) errors.push(invalidValue(at.child('minDomains'), minDomains, 'must be greater than zero'));
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
    const keys = constraint.matchLabelKeys ?? [];
    if (keys.length > 0 && !constraint.labelSelector)
      errors.push(forbiddenField(at.child('matchLabelKeys'), 'must not be specified when labelSelector is not set'));
    keys.forEach((key, i) => {
      errors.push(...validateLabelName(key, at.child('matchLabelKeys').index(i)));
    });
    errors.push(...validateLabelSelector(constraint.labelSelector, at.child('labelSelector')));
    return errors;
  });
}

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
