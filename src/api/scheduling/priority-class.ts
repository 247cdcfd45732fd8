import { type FieldError, FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { immutable, requiredOneOf } from '../field-checks.ts';
import type { PriorityClass } from '../types/scheduling.v1.gen.ts';

/** The highest priority that a user may define; what is above is for the system's own classes. */
export const highestUserPriority = 1_000_000_000;

export const systemPriorityClasses: Readonly<Record<string, number>> = {
  'system-node-critical': 2 * highestUserPriority + 1000,
  'system-cluster-critical': 2 * highestUserPriority,
};

export const priorityClass = defineKind<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  // Always the first: what may change of a class makes no new one.
  prepareForCreate: ({ metadata }) => {
    metadata.generation = 1;
  },
  default: (object) => {
    object.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  validateCreate: validatePriorityClass,
  validateUpdate: (object, old) => [
    ...((object.value ?? 0) === (old.value ?? 0)
      ? []
      : [forbiddenField(FieldPath.of('value'), 'may not be changed in an update.')]),
    ...immutable(FieldPath.of('preemptionPolicy'), object.preemptionPolicy, old.preemptionPolicy),
  ],
  columns: [
    nameColumn,
    column('Value', (object) => object.value ?? 0, {
      type: 'integer',
      description: 'Priority that the class stands for',
    }),
    column('Global-Default', (object) => object.globalDefault ?? false, {
      type: 'boolean',
      description: 'Whether pods without a class get this one',
    }),
    ageColumn,
    column('PreemptionPolicy', (object) => object.preemptionPolicy ?? '', {
      description: 'Whether its pods may preempt others',
    }),
  ],
});

function validatePriorityClass({ metadata, value = 0, globalDefault, preemptionPolicy }: PriorityClass): FieldError[] {
  const errors: FieldError[] = [];
  if (metadata.name.startsWith('system-')) {
    const problem = systemClassProblem(metadata.name, value, globalDefault);
    if (problem)
      errors.push(
        forbiddenField(
          FieldPath.of('metadata', 'name'),
          `priority class names with 'system-' prefix are reserved for system use only. error: ${problem}`,
        ),
      );
  } else if (value > highestUserPriority)
    errors.push(
      forbiddenField(
        FieldPath.of('value'),
        `maximum allowed value of a user defined priority is ${highestUserPriority}`,
      ),
    );
  return [
    ...errors,
    ...(preemptionPolicy === undefined
      ? []
      : requiredOneOf(FieldPath.of('preemptionPolicy'), preemptionPolicy, ['PreemptLowerPriority', 'Never'])),
  ];
}

function systemClassProblem(name: string, value: number, globalDefault: boolean | undefined): string | undefined {
  const known = Object.hasOwn(systemPriorityClasses, name) ? systemPriorityClasses[name] : undefined;
  if (known === undefined) return `${name} is not a known system priority class`;
  if (value !== known) return `value of ${name} PriorityClass must be ${known}`;
  if (globalDefault) return `globalDefault of ${name} PriorityClass must be false`;
  return undefined;
}
