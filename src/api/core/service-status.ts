import {
  type FieldError,
  FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
} from '../../apimachinery/field.ts';
import { isDns1123Subdomain, isIP } from '../../apimachinery/names.ts';
import { invalidFor } from '../field-checks.ts';
import type { Service } from '../types/core.v1.gen.ts';
import { validateLegacyIP } from './legacy-addresses.ts';

const path = FieldPath.of('status', 'loadBalancer', 'ingress');
const ipModes = ['Proxy', 'VIP'];

/** Where a load balancer is reached: an address with its mode, or a name. */
export function validateServiceStatusUpdate({ spec, status }: Service, old: Service): FieldError[] {
  const points = status?.loadBalancer?.ingress ?? [];
  if (points.length === 0) return [];
  if (spec?.type !== 'LoadBalancer')
    return [forbiddenField(path, "may only be used when `spec.type` is 'LoadBalancer'")];
  const kept = (old.status?.loadBalancer?.ingress ?? []).map(({ ip = '' }) => ip);
  return points.flatMap(({ ip, ipMode, hostname }, index) => {
    const at = path.index(index);
    const mode = at.child('ipMode');
    const errors = ip ? validateLegacyIP(at.child('ip'), ip, kept) : [];
    if (ip && ipMode === undefined) errors.push(required(mode, 'must be specified when `ip` is set'));
    if (!ip && ipMode !== undefined) errors.push(forbiddenField(mode, 'may not be specified when `ip` is not set'));
    else if (ipMode !== undefined && !ipModes.includes(ipMode)) errors.push(notSupported(mode, ipMode, ipModes));
    if (hostname) {
      errors.push(...invalidFor(at.child('hostname'), hostname, isDns1123Subdomain(hostname)));
      if (isIP(hostname).length === 0)
        errors.push(invalidValue(at.child('hostname'), hostname, 'must be a DNS name, not an IP address'));
    }
    return errors;
  });
}
