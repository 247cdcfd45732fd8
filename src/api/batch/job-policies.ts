import {
  duplicate,
  type FieldError,
  type FieldPath,
  invalidValue,
  notSupported,
  required,
  tooLong,
  tooMany,
} from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { invalidFor, invalidWithoutValue, nonNegative } from '../field-checks.ts';
import type { JobSpec, PodFailurePolicyRule, SuccessPolicyRule } from '../types/batch.v1.gen.ts';
import { countIndexes, parseIndexIntervals } from './index-intervals.ts';

const actions = ['Count', 'FailIndex', 'FailJob', 'Ignore'];
const operators = ['In', 'NotIn'];
const conditionStatuses = ['False', 'True', 'Unknown'];

const list = (values: readonly string[]) => `valid values: [${values.map((value) => JSON.stringify(value)).join(' ')}]`;

export function validatePodFailurePolicy(path: FieldPath, spec: JobSpec): FieldError[] {
  const rules = spec.podFailurePolicy?.rules ?? [];
  const at = path.child('rules');
  const errors = rules.length > 20 ? [tooMany(at, rules.length, 20)] : [];
  const pod = spec.template?.spec;
  const containers = new Set([...(pod?.containers ?? []), ...(pod?.initContainers ?? [])].map(({ name }) => name));
  rules.forEach((rule, index) => {
    errors.push(...validateFailureRule(at.index(index), rule, spec, containers));
  });
  return errors;
}

function validateFailureRule(
  path: FieldPath,
  rule: PodFailurePolicyRule,
  spec: JobSpec,
  containers: ReadonlySet<string>,
): FieldError[] {
  const errors: FieldError[] = [];
  const action = path.child('action');
  if (!rule.action) errors.push(required(action, list(actions)));
  else if (rule.action === 'FailIndex') {
    if (spec.backoffLimitPerIndex === undefined)
      errors.push(invalidValue(action, rule.action, 'requires the backoffLimitPerIndex to be set'));
  } else if (!actions.includes(rule.action)) errors.push(notSupported(action, rule.action, actions));

  const conditions = rule.onPodConditions ?? [];
  if (rule.onExitCodes) errors.push(...validateExitCodes(path.child('onExitCodes'), rule.onExitCodes, containers));
  if (conditions.length > 0) errors.push(...validatePodConditions(path.child('onPodConditions'), conditions));
  if (rule.onExitCodes && conditions.length > 0)
    errors.push(invalidWithoutValue(path, 'specifying both OnExitCodes and OnPodConditions is not supported'));
  if (!rule.onExitCodes && conditions.length === 0)
    errors.push(invalidWithoutValue(path, 'specifying one of OnExitCodes and OnPodConditions is required'));
  return errors;
}

function validateExitCodes(
  path: FieldPath,
  requirement: NonNullable<PodFailurePolicyRule['onExitCodes']>,
  containers: ReadonlySet<string>,
): FieldError[] {
  const { operator, containerName, values = [] } = requirement;
  const errors: FieldError[] = [];
  if (!operator) errors.push(required(path.child('operator'), list(operators)));
  else if (!operators.includes(operator)) errors.push(notSupported(path.child('operator'), operator, operators));
  if (containerName !== undefined && !containers.has(containerName))
    errors.push(
      invalidValue(
        path.child('containerName'),
        containerName,
        'must be one of the container or initContainer names in the pod template',
      ),
    );
  const at = path.child('values');
  if (values.length === 0) errors.push(invalidValue(at, values, 'at least one value is required'));
  else if (values.length > 255) errors.push(tooMany(at, values.length, 255));
  const seen = new Set<number>();
  values.forEach((value, index) => {
    if (operator === 'In' && value === 0)
      errors.push(invalidValue(at.index(index), value, 'must not be 0 for the In operator'));
    if (seen.has(value)) errors.push(duplicate(at.index(index), value));
    seen.add(value);
  });
  if (values.some((value, index) => index > 0 && (values[index - 1] ?? 0) > value))
    errors.push(invalidValue(at, values, 'must be ordered'));
  return errors;
}

function validatePodConditions(
  path: FieldPath,
  conditions: NonNullable<PodFailurePolicyRule['onPodConditions']>,
): FieldError[] {
  const errors = conditions.length > 20 ? [tooMany(path, conditions.length, 20)] : [];
  conditions.forEach(({ type, status }, index) => {
    const at = path.index(index);
    errors.push(...invalidFor(at.child('type'), type, isQualifiedName(type)));
    if (!status) errors.push(required(at.child('status'), list(conditionStatuses)));
    else if (!conditionStatuses.includes(status))
      errors.push(notSupported(at.child('status'), status, conditionStatuses));
  });
  return errors;
}

/** Of an indexed Job. */
export function validateSuccessPolicy(path: FieldPath, spec: JobSpec): FieldError[] {
  const rules = spec.successPolicy?.rules ?? [];
  const at = path.child('rules');
  const errors: FieldError[] = [];
  if (rules.length === 0)
    errors.push(required(at, 'at least one rules must be specified when the successPolicy is specified'));
  if (rules.length > 20) errors.push(tooMany(at, rules.length, 20));
  rules.forEach((rule, index) => {
    errors.push(...validateSuccessRule(at.index(index), rule, spec.completions ?? 0));
  });
  return errors;
}

const maxSucceededIndexes = 64 * 1024;

function validateSuccessRule(path: FieldPath, rule: SuccessPolicyRule, completions: number): FieldError[] {
  const { succeededCount, succeededIndexes } = rule;
  if (succeededCount === undefined && succeededIndexes === undefined)
    return [required(path, 'at least one of succeededCount or succeededIndexes must be specified')];
  const errors: FieldError[] = [];
  let total = 0;
  if (succeededIndexes !== undefined) {
    const at = path.child('succeededIndexes');
    if (Buffer.byteLength(succeededIndexes) > maxSucceededIndexes) errors.push(tooLong(at, maxSucceededIndexes));
    try {
      total = countIndexes(parseIndexIntervals(succeededIndexes, completions));
    } catch (error) {
      errors.push(invalidValue(at, succeededIndexes, `error parsing succeededIndexes: ${(error as Error).message}`));
    }
  }
  if (succeededCount !== undefined) {
    const at = path.child('succeededCount');
    const atMost = (limit: number, what: string) =>
      invalidValue(at, succeededCount, `must be less than or equal to ${limit} (the number of ${what})`);
    errors.push(...nonNegative(at, succeededCount));
    if (succeededCount > completions) errors.push(atMost(completions, 'specified completions'));
    if (succeededIndexes !== undefined && succeededCount > total)
      errors.push(atMost(total, 'indexes in the specified succeededIndexes field'));
  }
  return errors;
}

/** The policies as errors show them. */
export function internalFailurePolicy(policy: JobSpec['podFailurePolicy']): unknown {
  if (!policy) return null;
  const rules = policy.rules?.map(({ action, onExitCodes: codes, onPodConditions: conditions }) => ({
    Action: action,
    OnExitCodes: codes
      ? { ContainerName: codes.containerName ?? null, Operator: codes.operator, Values: codes.values ?? null }
      : null,
    OnPodConditions: conditions?.map(({ type, status }) => ({ Type: type, Status: status })) ?? null,
  }));
  return { Rules: rules ?? null };
}

export function internalSuccessPolicy(policy: JobSpec['successPolicy']): unknown {
  if (!policy) return null;
  const rules = policy.rules?.map(({ succeededIndexes, succeededCount }) => ({
    SucceededIndexes: succeededIndexes ?? null,
    SucceededCount: succeededCount ?? null,
  }));
  return { Rules: rules ?? null };
}
