import { type FieldError, type FieldPath, invalidValue, notSupported, required } from '../../apimachinery/field.ts';
import type { Draft } from '../../apimachinery/json.ts';
import { isDns1123Subdomain, isLabelValue, isQualifiedName } from '../../apimachinery/names.ts';
import { invalidFor, optionalOneOf } from '../field-checks.ts';
import type {
  DeviceClaim,
  DeviceConstraint,
  DeviceRequest,
  DeviceToleration,
  ExactDeviceRequest,
  ResourceClaimSpec,
} from '../types/resource.v1.gen.ts';
import { validateList } from './collections.ts';
import { maxConfigs, validateOpaque, validateSelectors } from './device-config.ts';
import { validateFullyQualifiedName, validateLabelName } from './device-names.ts';

const maxRequests = 32;
const maxAlternatives = 8;

export function defaultClaimSpec(spec: Draft<ResourceClaimSpec> | undefined): void {
  for (const request of spec?.devices?.requests ?? [])
    for (const asked of [...(request.exactly ? [request.exactly] : []), ...(request.firstAvailable ?? [])]) {
      asked.allocationMode ||= 'ExactCount';
      if (asked.allocationMode === 'ExactCount') asked.count ||= 1;
    }
}

/** Names that a claim's parts may refer to: `request` and `request/alternative`. */
export function requestNames(claim: DeviceClaim | undefined): ReadonlySet<string> {
  return new Set(
    (claim?.requests ?? []).flatMap(({ name, firstAvailable = [] }) => [
      name,
      ...firstAvailable.map((alternative) => `${name}/${alternative.name}`),
    ]),
  );
}

export function validateClaimSpec(path: FieldPath, spec: ResourceClaimSpec | undefined): FieldError[] {
  const devices = path.child('devices');
  const claim = spec?.devices;
  const names = requestNames(claim);
  return [
    ...validateList(devices.child('requests'), claim?.requests, maxRequests, validateRequest, ({ name }) => name),
    ...validateList(devices.child('constraints'), claim?.constraints, maxRequests, (at, constraint) =>
      validateConstraint(at, constraint, names),
    ),
    ...validateList(devices.child('config'), claim?.config, maxConfigs, (at, config) => [
      ...validateReferences(at.child('requests'), config.requests, names),
      ...validateOpaque(at, config),
    ]),
  ];
}

function validateRequest(path: FieldPath, request: DeviceRequest): FieldError[] {
  const { name, exactly, firstAvailable = [] } = request;
  const one = 'exactly one of `exactly` or `firstAvailable` is required';
  const errors = validateLabelName(path.child('name'), name);
  if (!exactly && firstAvailable.length === 0) return [...errors, required(path, one)];
  if (exactly && firstAvailable.length > 0)
    return [...errors, invalidValue(path, undefined, `${one}, but multiple fields are set`)];
  if (exactly) return [...errors, ...validateAsked(path.child('exactly'), exactly)];
  return [
    ...errors,
    ...validateList(
      path.child('firstAvailable'),
      firstAvailable,
      maxAlternatives,
      (at, alternative) => [
        ...validateLabelName(at.child('name'), alternative.name),
        ...validateAsked(at, alternative),
      ],
      (alternative) => alternative.name,
    ),
  ];
}

function validateAsked(path: FieldPath, asked: ExactDeviceRequest): FieldError[] {
  const { deviceClassName, allocationMode = '', count = 0 } = asked;
  const errors = deviceClassName
    ? invalidFor(path.child('deviceClassName'), deviceClassName, isDns1123Subdomain(deviceClassName))
    : [required(path.child('deviceClassName'))];
  errors.push(...validateSelectors(path.child('selectors'), asked.selectors));
  if (allocationMode === 'All') {
    if (count !== 0)
      errors.push(invalidValue(path.child('count'), count, "must not be specified when allocationMode is 'All'"));
  } else if (allocationMode === 'ExactCount') {
    if (count <= 0) errors.push(invalidValue(path.child('count'), count, 'must be greater than zero'));
  } else errors.push(notSupported(path.child('allocationMode'), allocationMode, ['All', 'ExactCount']));
  return [...errors, ...validateTolerations(path.child('tolerations'), asked.tolerations)];
}

export function validateTolerations(
  path: FieldPath,
  tolerations: readonly DeviceToleration[] | undefined,
): FieldError[] {
  return validateList(path, tolerations, Number.POSITIVE_INFINITY, validateToleration);
}

function validateToleration(path: FieldPath, toleration: DeviceToleration): FieldError[] {
  const { operator, key, value = '', effect } = toleration;
  const errors = key ? invalidFor(path.child('key'), key, isQualifiedName(key)) : [];
  const at = path.child('value');
  if (!operator) errors.push(required(path.child('operator')));
  else if (operator === 'Equal') errors.push(...invalidFor(at, value, isLabelValue(value)));
  else if (operator !== 'Exists') errors.push(notSupported(path.child('operator'), operator, ['Equal', 'Exists']));
  else if (value) errors.push(invalidValue(at, value, 'must be empty for operator `Exists`'));
  return [...errors, ...optionalOneOf(path.child('effect'), effect || undefined, ['NoExecute', 'NoSchedule', 'None'])];
}

function validateConstraint(path: FieldPath, constraint: DeviceConstraint, names: ReadonlySet<string>): FieldError[] {
  const { matchAttribute, distinctAttribute } = constraint;
  const errors = validateReferences(path.child('requests'), constraint.requests, names);
  if (matchAttribute !== undefined)
    return [...errors, ...validateFullyQualifiedName(path.child('matchAttribute'), matchAttribute)];
  if (distinctAttribute !== undefined)
    return [...errors, ...validateFullyQualifiedName(path.child('distinctAttribute'), distinctAttribute)];
  return [
    ...errors,
    required(path, 'exactly one of "matchAttribute" or "distinctAttribute" is required, but multiple fields are set'),
  ];
}

export function validateReferences(
  path: FieldPath,
  references: readonly string[] | undefined,
  names: ReadonlySet<string>,
): FieldError[] {
  return validateList(
    path,
    references,
    maxRequests,
    (at, reference) => validateReference(at, reference, names),
    (reference) => reference,
  );
}

export function validateReference(path: FieldPath, reference: string, names: ReadonlySet<string>): FieldError[] {
  const segments = reference.split('/');
  const errors = segments.length > 2 ? [] : segments.flatMap((segment) => validateLabelName(path, segment));
  if (segments.length <= 2 && names.has(reference)) return errors;
  return [
    ...errors,
    invalidValue(
      path,
      reference,
      "must be the name of a request in the claim or the name of a request and a subrequest separated by '/'",
    ),
  ];
}
