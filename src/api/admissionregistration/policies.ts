import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { validateLabelSelector } from '../../apimachinery/labels.ts';
import { isDns1035Label, isDns1123Subdomain, isPathSegmentName } from '../../apimachinery/names.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { invalidFor, requiredOneOf, semanticEqual } from '../field-checks.ts';
import type { PrinterColumn } from '../kind.ts';
import type {
  MutatingAdmissionPolicyBinding,
  MutatingAdmissionPolicySpec,
  ParamKind,
  ParamRef,
  ValidatingAdmissionPolicyBinding,
  ValidatingAdmissionPolicySpec,
  Variable,
} from '../types/admissionregistration.v1.gen.ts';
import { validateMatchConditions } from './match-conditions.ts';
import { failurePolicies, validateMatchResources, validateMutatingOperations } from './rules.ts';

/** What validating and mutating admission policies, and their bindings, have in common. */

const spec = FieldPath.of('spec');
const celIdentifier = /^[_a-zA-Z][_a-zA-Z0-9]*$/;
const celReserved = new Set(
  'true false null in as break const continue else for function if import let loop package namespace return var void while'.split(
    ' ',
  ),
);

type PolicySpec = ValidatingAdmissionPolicySpec | MutatingAdmissionPolicySpec;

/** Match conditions that an update leaves alone stay as they are. `mutating`: whether deletions are out of its reach. */
export function validatePolicy(policy: PolicySpec, old: PolicySpec | undefined, mutating: boolean): FieldError[] {
  const { failurePolicy, paramKind, matchConstraints, matchConditions, variables } = policy;
  const errors = requiredOneOf(spec.child('failurePolicy'), failurePolicy, failurePolicies);
  if (paramKind) errors.push(...validateParamKind(spec.child('paramKind'), paramKind));
  const constraints = spec.child('matchConstraints');
  if (!matchConstraints) errors.push(required(constraints));
  else {
    errors.push(...validateMatchResources(constraints, matchConstraints));
    // A rule tells the types of what the expressions see.
    if (!matchConstraints.resourceRules?.length) errors.push(required(constraints.child('resourceRules')));
    if (mutating) errors.push(...validateMutatingOperations(constraints, matchConstraints.resourceRules));
  }
  const sameConditions =
    old && semanticEqual(old.paramKind, paramKind) && semanticEqual(old.matchConditions, matchConditions);
  return [
    ...errors,
    ...(sameConditions ? [] : validateMatchConditions(spec.child('matchConditions'), matchConditions)),
    ...(variables ?? []).flatMap((variable, index) => validateVariable(spec.child('variables').index(index), variable)),
  ];
}

function validateVariable(path: FieldPath, { name, expression }: Variable): FieldError[] {
  const errors: FieldError[] = [];
  if (!name?.trim()) errors.push(required(path.child('name'), 'name is not specified'));
  else if (!celIdentifier.test(name) || celReserved.has(name))
    errors.push(invalidValue(path.child('name'), name, 'must be a valid CEL identifier'));
  if (!expression?.trim()) errors.push(required(path.child('expression'), 'expression is not specified'));
  return errors;
}

function validateParamKind(path: FieldPath, { apiVersion = '', kind = '' }: ParamKind): FieldError[] {
  const at = path.child('apiVersion');
  const errors: FieldError[] = [];
  const parts = apiVersion.split('/');
  if (apiVersion === '') errors.push(required(at));
  else if (parts.length > 2) errors.push(invalidValue(at, apiVersion, `unexpected GroupVersion string: ${apiVersion}`));
  else {
    const [group = '', version = ''] = parts.length === 2 ? parts : ['', apiVersion];
    const groupErrors = group === '' ? [] : isDns1123Subdomain(group);
    if (groupErrors.length > 0) errors.push(invalidValue(at, group, groupErrors.join(',')));
    const versionErrors = isDns1035Label(version);
    if (version === '') errors.push(invalidValue(at, apiVersion, 'version must be specified'));
    else if (versionErrors.length > 0) errors.push(invalidValue(at, version, versionErrors.join(',')));
  }
  const kindErrors = isDns1035Label(kind.toLowerCase());
  if (kind === '') errors.push(required(path.child('kind')));
  else if (kindErrors.length > 0)
    errors.push(
      invalidValue(
        path.child('kind'),
        kind,
        `may have mixed case, but should otherwise match: ${kindErrors.join(',')}`,
      ),
    );
  return errors;
}

type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

export function validateBinding({ policyName, paramRef, matchResources }: Binding['spec']): FieldError[] {
  return [
    ...(policyName
      ? invalidFor(spec.child('policyName'), policyName, isDns1123Subdomain(policyName))
      : [required(spec.child('policyName'))]),
    ...(paramRef ? validateParamRef(spec.child('paramRef'), paramRef) : []),
    ...(matchResources ? validateMatchResources(spec.child('matchResources'), matchResources) : []),
  ];
}

function validateParamRef(path: FieldPath, paramRef: ParamRef): FieldError[] {
  const { name, selector, parameterNotFoundAction: action } = paramRef;
  const exclusive = 'name and selector are mutually exclusive';
  const errors: FieldError[] = [];
  if (name) {
    errors.push(...invalidFor(path.child('name'), name, isPathSegmentName(name)));
    if (selector) errors.push(forbiddenField(path.child('name'), exclusive));
  }
  if (selector) {
    errors.push(...validateLabelSelector(selector, path.child('selector')));
    if (name) errors.push(forbiddenField(path.child('selector'), exclusive));
  }
  if (!name && !selector) errors.push(required(path, 'one of name or selector must be specified'));
  if (!action) errors.push(required(path.child('parameterNotFoundAction')));
  else if (action !== 'Deny' && action !== 'Allow')
    errors.push(notSupported(path.child('parameterNotFoundAction'), action, ['Deny', 'Allow']));
  return errors;
}

export function paramKindText(paramKind: ParamKind | undefined): string {
  return paramKind ? `${paramKind.apiVersion}/${paramKind.kind}` : '<unset>';
}

function paramRefText(paramRef: ParamRef | undefined): string {
  if (paramRef?.name) return `${paramRef.namespace || '*'}/${paramRef.name}`;
  return paramRef?.selector ? JSON.stringify(paramRef.selector) : '<unset>';
}

export const bindingColumns: readonly PrinterColumn<Binding>[] = [
  nameColumn,
  column('PolicyName', ({ spec }) => spec.policyName ?? '', { description: 'Policy that is bound' }),
  column('ParamRef', ({ spec }) => paramRefText(spec.paramRef), { description: 'Parameters of the policy' }),
  ageColumn,
];
