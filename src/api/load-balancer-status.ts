import { type FieldError, FieldPath, invalidValue } from '../apimachinery/field.ts';
import { isDns1123Subdomain, isIP } from '../apimachinery/names.ts';
import { validateLegacyIP } from './core/legacy-addresses.ts';
import { invalidFor } from './field-checks.ts';

const path = FieldPath.of('status', 'loadBalancer', 'ingress');

interface AccessPoint {
  readonly ip?: string;
  readonly hostname?: string;
}

/** Where a load balancer is reached, as the status of Services and Ingresses says it. */
export function validateLoadBalancerStatus(
  points: readonly AccessPoint[] | undefined,
  old?: readonly AccessPoint[],
): FieldError[] {
  const kept = (old ?? []).flatMap(({ ip }) => ip ?? []);
  return (points ?? []).flatMap(({ ip, hostname }, index) => {
    const at = path.index(index);
    return [
      ...(ip ? validateLegacyIP(at.child('ip'), ip, kept) : []),
      ...(hostname ? invalidFor(at.child('hostname'), hostname, isDns1123Subdomain(hostname)) : []),
      ...(hostname && isIP(hostname).length === 0
        ? [invalidValue(at.child('hostname'), hostname, 'must be a DNS name, not an IP address')]
        : []),
    ];
  });
}
