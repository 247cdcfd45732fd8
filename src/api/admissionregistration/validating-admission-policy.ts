import { duplicate, type FieldError, FieldPath, invalidValue, required } from '../../apimachinery/field.ts';
import { isQualifiedName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { validateConditions } from '../conditions.ts';
import { defineKind } from '../define.ts';
import { invalidFor, optionalOneOf } from '../field-checks.ts';
import type {
  ValidatingAdmissionPolicy,
  ValidatingAdmissionPolicySpec,
  ValidatingAdmissionPolicyStatus,
  Validation,
} from '../types/admissionregistration.v1.gen.ts';
import { paramKindText, validatePolicy } from './policies.ts';
import { defaultMatchResources } from './rules.ts';

const spec = FieldPath.of('spec');
const maxAuditAnnotations = 20;
const maxValueExpressionBytes = 5 * 1024;

export const validatingAdmissionPolicy = defineKind<ValidatingAdmissionPolicy>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingAdmissionPolicy',
  generation: 'spec',
  requireResourceVersionOnUpdate: true,
  default: ({ spec }) => {
    if (!spec) return;
    spec.failurePolicy ??= 'Fail';
    defaultMatchResources(spec.matchConstraints);
  },
  validate: (object, old) => [
    ...validatePolicy(object.spec ?? {}, old?.spec, false),
    ...validateRules(object.metadata.name, object.spec ?? {}),
  ],
  subresources: { status: { validateUpdate: (object) => validateStatus(object.status ?? {}) } },
  columns: [
    nameColumn,
    column('Validations', ({ spec }) => spec.validations?.length ?? 0, {
      type: 'integer',
      description: 'Number of validation rules',
    }),
    column('ParamKind', ({ spec }) => paramKindText(spec.paramKind), { description: 'Kind of the parameters' }),
    ageColumn,
  ],
});

function validateRules(
  name: string,
  { validations = [], auditAnnotations = [] }: ValidatingAdmissionPolicySpec,
): FieldError[] {
  const either = 'validations or auditAnnotations must contain at least one item';
  if (validations.length === 0 && auditAnnotations.length === 0)
    return [required(spec.child('validations'), either), required(spec.child('auditAnnotations'), either)];
  const errors = validations.flatMap((validation, index) =>
    validateValidation(spec.child('validations').index(index), validation),
  );
  const annotations = spec.child('auditAnnotations');
  if (auditAnnotations.length > maxAuditAnnotations)
    errors.push(
      invalidValue(annotations, auditAnnotations, `must not have more than ${maxAuditAnnotations} auditAnnotations`),
    );
  const keys = new Set<string>();
  auditAnnotations.forEach(({ key, valueExpression = '' }, index) => {
    const path = annotations.index(index);
    errors.push(...invalidFor(path.child('key'), `${name}/${key}`, isQualifiedName(`${name}/${key}`)));
    const at = path.child('valueExpression');
    if (valueExpression.trim() === '') errors.push(required(at, 'valueExpression is not specified'));
    else if (Buffer.byteLength(valueExpression.trim()) > maxValueExpressionBytes)
      errors.push(required(at, `must not exceed ${maxValueExpressionBytes} bytes in length`));
    if (keys.has(key)) errors.push(duplicate(path.child('key'), key));
    keys.add(key);
  });
  return errors;
}

function validateValidation(path: FieldPath, validation: Validation): FieldError[] {
  const { expression = '', message = '', messageExpression = '', reason } = validation;
  const errors: FieldError[] = [];
  const nonEmpty = 'must be non-empty if specified';
  if (expression.trim() === '') errors.push(required(path.child('expression'), 'expression is not specified'));
  if (messageExpression !== '' && messageExpression.trim() === '')
    errors.push(invalidValue(path.child('messageExpression'), messageExpression, nonEmpty));
  if (message !== '' && message.trim() === '') errors.push(invalidValue(path.child('message'), message, nonEmpty));
  else if (/[\n\r]/.test(message.trim()))
    errors.push(invalidValue(path.child('message'), message, 'must not contain line breaks'));
  return [...errors, ...optionalOneOf(path.child('reason'), reason, ['Forbidden', 'Invalid', 'RequestEntityTooLarge'])];
}

function validateStatus({ typeChecking, conditions }: ValidatingAdmissionPolicyStatus): FieldError[] {
  const status = FieldPath.of('status');
  const warnings = status.child('typeChecking', 'expressionWarnings');
  return [
    ...(typeChecking?.expressionWarnings ?? []).flatMap((given, index) =>
      (['warning', 'fieldRef'] as const).flatMap((field) =>
        given[field]?.trim() ? [] : [required(warnings.index(index).child(field))],
      ),
    ),
    ...validateConditions(status.child('conditions'), conditions),
  ];
}
