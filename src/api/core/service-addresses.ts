import {
  duplicate,
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { absent, optionalOneOf } from '../field-checks.ts';
import type { ServiceSpec } from '../types/core.v1.gen.ts';
import { isDualStack, validateLegacyIP } from './legacy-addresses.ts';

const spec = FieldPath.of('spec');
const path = spec.child('clusterIPs');
const familiesPath = spec.child('ipFamilies');
const policyPath = spec.child('ipFamilyPolicy');
const families = ['IPv4', 'IPv6'];
const policies = ['PreferDualStack', 'RequireDualStack', 'SingleStack'];
const fixed = 'may not change once set';

/** What a type asks of the addresses. */
export function validateTypeAddresses({ type, ...service }: ServiceSpec, headless: boolean): FieldError[] {
  if (type === 'LoadBalancer' || type === 'NodePort')
    return headless ? [invalidValue(path.index(0), 'None', `may not be set to 'None' for ${type} services`)] : [];
  if (type !== 'ExternalName') return [];
  const none = (at: FieldPath) => forbiddenField(at, 'may not be set for ExternalName services');
  return [
    ...(service.clusterIPs?.length ? [none(path)] : []),
    ...(service.ipFamilies?.length ? [none(familiesPath)] : []),
    ...(service.ipFamilyPolicy !== undefined ? [none(policyPath)] : []),
  ];
}

export function validateClusterIPs(service: ServiceSpec, old: ServiceSpec | undefined): FieldError[] {
  if (service.type === 'ExternalName') return [];
  const { clusterIP = '', clusterIPs = [], ipFamilies = [] } = service;
  const errors: FieldError[] = [];
  const refuse = (detail: string) => errors.push(invalidValue(path, clusterIPs, detail));
  if (clusterIP !== '' && clusterIPs.length === 0) errors.push(required(path));
  else if (clusterIP !== '' && clusterIPs[0] !== clusterIP) refuse('first value must match `clusterIP`');
  else if (clusterIP === '' && clusterIPs.length > 0) refuse('must be empty when `clusterIP` is not specified');
  ipFamilies.forEach((family, index) => {
    const at = familiesPath.index(index);
    if (!families.includes(family)) errors.push(notSupported(at, family, families));
    if (ipFamilies.indexOf(family) !== index) errors.push(duplicate(at, family));
  });
  errors.push(...optionalOneOf(policyPath, service.ipFamilyPolicy, policies));
  let wrong = false;
  clusterIPs.forEach((address, index) => {
    if (index === 0 && address === 'None') {
      if (clusterIPs.length === 1) return;
      wrong = true;
      refuse("'None' must be the first and only value");
      return;
    }
    const problems = validateLegacyIP(path.index(index), address, old?.clusterIPs);
    if (problems.length > 0) wrong = true;
    errors.push(...problems);
  });
  if (clusterIPs.length > 2) refuse('may only hold up to 2 values');
  if (wrong) return errors;
  if (clusterIPs.length > 1 && !isDualStack(clusterIPs)) refuse('may specify no more than one IP for each IP family');
  if (clusterIPs[0] === 'None') return errors;
  clusterIPs.forEach((address, index) => {
    const family = ipFamilies[index];
    const actual = address.includes(':') ? 'IPv6' : 'IPv4';
    if (family !== undefined && families.includes(family) && family !== actual)
      errors.push(
        invalidValue(
          path.index(index),
          address,
          `expected an ${family} value as indicated by \`ipFamilies[${index}]\``,
        ),
      );
  });
  return errors;
}

export const isHeadless = ({ clusterIPs }: ServiceSpec) => clusterIPs?.length === 1 && clusterIPs[0] === 'None';
const isExternal = ({ type }: ServiceSpec) => type === 'ExternalName';

/** A second address comes and goes, the first stays as long as it is of use. */
export function validateClusterIPsUpdate(service: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (isExternal(service) || isExternal(old) || (isHeadless(service) && isHeadless(old))) return [];
  const now = service.clusterIPs ?? [];
  const before = old.clusterIPs ?? [];
  const refuse = (index: number, detail: string) =>
    invalidValue(path.index(index), now.length > 0 ? now : service.clusterIPs, detail);
  if (now.length === before.length)
    return before.flatMap((address, index) => (now[index] === address ? [] : [refuse(index, fixed)]));
  const errors: FieldError[] = [];
  if (now.length === 0) errors.push(refuse(0, 'primary clusterIP can not be unset'));
  else if (before.length > 0 && now[0] !== before[0]) errors.push(refuse(0, fixed));
  if (now.length === 1 && before.length > 1) errors.push(...validateRelease(service, 'clusterIP'));
  return errors;
}

export function validateFamiliesUpdate(service: ServiceSpec, old: ServiceSpec): FieldError[] {
  if (isExternal(service) || isExternal(old) || isHeadless(service) || isHeadless(old)) return [];
  const now = service.ipFamilies ?? [];
  const before = old.ipFamilies ?? [];
  const refuse = (value: unknown, detail: string) => invalidValue(familiesPath.index(0), value, detail);
  if (now.length === before.length)
    return before.flatMap((family, index) => (now[index] === family ? [] : [refuse(now, fixed)]));
  const errors: FieldError[] = [];
  if (before.length > now.length && !service.clusterIPs?.length)
    errors.push(refuse(service.ipFamilies, 'primary ipFamily can not be unset'));
  if (before.length > 0 && now.length > 0 && now[0] !== before[0]) errors.push(refuse(service.clusterIPs, fixed));
  if (now.length === 1 && before.length > 1) errors.push(...validateRelease(service, 'ipFamily'));
  return errors;
}

function validateRelease({ ipFamilyPolicy }: ServiceSpec, what: string): FieldError[] {
  return ipFamilyPolicy === 'SingleStack'
    ? []
    : [
        invalidValue(
          policyPath,
          ipFamilyPolicy ?? absent,
          `must be set to 'SingleStack' when releasing the secondary ${what}`,
        ),
      ];
}
