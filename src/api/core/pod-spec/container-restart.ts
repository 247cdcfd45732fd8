import { type FieldError, type FieldPath, notSupported, required, tooMany } from '../../../apimachinery/field.ts';
import { optionalOneOf } from '../../field-checks.ts';
import type { Container } from '../../types/core.v1.gen.ts';

const policies = ['Always', 'Never', 'OnFailure'];
const actions = ['Restart', 'RestartAllContainers'];
const operators = ['In', 'NotIn'];

const MAX_RULES = 20;
const MAX_EXIT_CODES = 255;

/** A container's own restart policy, and the exit codes that have rules of theirs. */
export function validateRestart(container: Container, path: FieldPath): FieldError[] {
  const { restartPolicy, restartPolicyRules: rules = [] } = container;
  if (restartPolicy === undefined && rules.length === 0) return [];
  const errors =
    restartPolicy === undefined
      ? [required(path.child('restartPolicy'), 'must specify restartPolicy when restart rules are used')]
      : optionalOneOf(path.child('restartPolicy'), restartPolicy, policies);
  const at = path.child('restartPolicyRules');
  if (rules.length > MAX_RULES) errors.push(tooMany(at, rules.length, MAX_RULES));
  rules.forEach(({ action, exitCodes }, index) => {
    const rule = at.index(index);
    if (!actions.includes(action)) errors.push(notSupported(rule.child('action'), action ?? '', actions));
    const codes = rule.child('exitCodes');
    if (!exitCodes) errors.push(required(codes, 'must be specified'));
    else {
      if (!operators.includes(exitCodes.operator))
        errors.push(notSupported(codes.child('operator'), exitCodes.operator ?? '', operators));
      const count = exitCodes.values?.length ?? 0;
      if (count > MAX_EXIT_CODES) errors.push(tooMany(codes.child('values'), count, MAX_EXIT_CODES));
    }
  });
  return errors;
}
