import type { ServiceSpec } from '../../../api/types/core.v1.gen.ts';
import { type FieldError, FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { IPFamily } from './address-pool.ts';

const spec = FieldPath.of('spec');

/** Fills in `ipFamilyPolicy` and `ipFamilies` from what the Service says and what the cluster has, the default first. */
export function completeFamilies(
  service: Draft<ServiceSpec>,
  old: ServiceSpec | undefined,
  cluster: readonly IPFamily[],
): FieldError[] {
  const given = (service.clusterIPs ?? []).filter((address) => address !== 'None' && address !== '');
  const headless = service.clusterIP === 'None' || service.clusterIPs?.[0] === 'None';
  const selectorless = Object.keys(service.selector ?? {}).length === 0;
  const two = given.length === 2 || service.ipFamilies?.length === 2;
  if (!service.ipFamilyPolicy)
    service.ipFamilyPolicy = two || (headless && selectorless && !old) ? 'RequireDualStack' : 'SingleStack';
  const errors: FieldError[] = [];
  const families = [...(service.ipFamilies ?? [])];
  given.forEach((address, index) => {
    const family: IPFamily = address.includes(':') ? 'IPv6' : 'IPv4';
    if (families[index] === undefined) families[index] = family;
    else if (families[index] !== family)
      errors.push(
        invalidValue(
          spec.child('clusterIPs').index(index),
          address,
          `expected an ${families[index]} value as indicated by \`ipFamilies[${index}]\``,
        ),
      );
  });
  if (errors.length) return errors;
  families[0] ??= cluster[0]!;
  const other: IPFamily = families[0] === 'IPv4' ? 'IPv6' : 'IPv4';
  if (headless && selectorless) {
    if (families.length < 2 && service.ipFamilyPolicy !== 'SingleStack') families.push(other);
    service.ipFamilies = families;
    return [];
  }
  const missing = families.find((family) => !cluster.includes(family as IPFamily));
  if (missing && (missing === 'IPv4' || missing === 'IPv6'))
    return [
      invalidValue(
        spec.child('ipFamilies').index(families.indexOf(missing)),
        missing,
        'not configured on this cluster',
      ),
    ];
  if (service.ipFamilyPolicy === 'RequireDualStack' && cluster.length < 2)
    return [
      invalidValue(
        spec.child('ipFamilyPolicy'),
        service.ipFamilyPolicy,
        'this cluster is not configured for dual-stack services',
      ),
    ];
  if (service.ipFamilyPolicy === 'SingleStack') {
    if (families.length > 1 && old?.ipFamilyPolicy && old.ipFamilyPolicy !== 'SingleStack') {
      families.length = 1;
      if (service.clusterIPs && service.clusterIPs.length > 1) service.clusterIPs.length = 1;
    }
    if (families.length > 1)
      return [
        invalidValue(
          spec.child('ipFamilyPolicy'),
          service.ipFamilyPolicy,
          'must be RequireDualStack or PreferDualStack when multiple values are specified in `spec.ipFamilies`',
        ),
      ];
  } else if (families.length < 2 && cluster.includes(other)) families.push(other);
  service.ipFamilies = families;
  return [];
}
