import { type FieldError, FieldPath, invalidValue } from '../apimachinery/field.ts';
import { isDns1123Subdomain, isIP } from '../apimachinery/names.ts';
import { invalidFor } from './field-checks.ts';

const path = FieldPath.of('status', 'loadBalancer', 'ingress');

/** Where a load balancer is reached, as the status of Services and Ingresses says it. */
export function validateLoadBalancerStatus(
  points: readonly { readonly ip?: string; readonly hostname?: string }[] | undefined,
): FieldError[] {
  return (points ?? []).flatMap(({ ip, hostname }, index) => {
    const at = path.index(index);
    return [
      ...(ip ? invalidFor(at.child('ip'), ip, isIP(ip)) : []),
      ...(hostname ? invalidFor(at.child('hostname'), hostname, isDns1123Subdomain(hostname)) : []),
      ...(hostname && isIP(hostname).length === 0
        ? [invalidValue(at.child('hostname'), hostname, 'must be a DNS name, not an IP address')]
        : []),
    ];
  });
}
