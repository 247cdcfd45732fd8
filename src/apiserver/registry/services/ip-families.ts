import { validateClusterIPs } from '../../../api/core/service-addresses.ts';
import { semanticEqual } from '../../../api/field-checks.ts';
import type { ServiceSpec } from '../../../api/types/core.v1.gen.ts';
import { type FieldError, FieldPath, invalidValue } from '../../../apimachinery/field.ts';
import type { Draft } from '../../../apimachinery/json.ts';
import type { IPFamily } from './address-pool.ts';

const spec = FieldPath.of('spec');
const familiesPath = spec.child('ipFamilies');
const policyPath = spec.child('ipFamilyPolicy');

const familyOf = (address: string): IPFamily => (address.includes(':') ? 'IPv6' : 'IPv4');

/**
 * A service that takes what there is stays as it is when the cluster gets a second family, or loses it, until its policy
 * or its addresses change.
 */
export function keepsFamilies(service: ServiceSpec, old: ServiceSpec | undefined): boolean {
  return (
    old !== undefined &&
    service.type === old.type &&
    service.ipFamilyPolicy === 'PreferDualStack' &&
    (old.ipFamilyPolicy ?? 'PreferDualStack') === 'PreferDualStack' &&
    semanticEqual(service.clusterIPs, old.clusterIPs) &&
    semanticEqual(service.ipFamilies, old.ipFamilies)
  );
}

/** Fills in `ipFamilyPolicy` and `ipFamilies` from what the Service says and what the cluster has, the default first. */
export function completeFamilies(
  service: Draft<ServiceSpec>,
  old: ServiceSpec | undefined,
  cluster: readonly IPFamily[],
): FieldError[] {
  if (keepsFamilies(service, old)) return [];
  const anywhere = service.clusterIP === 'None' && Object.keys(service.selector ?? {}).length === 0;
  service.ipFamilyPolicy ||= anywhere ? 'RequireDualStack' : 'SingleStack';
  const { ipFamilyPolicy: policy } = service;
  const errors = validateClusterIPs(service, old);
  if (errors.length > 0) return errors;
  const refuse = (detail: string) => errors.push(invalidValue(policyPath, policy, detail));
  const single = policy === 'SingleStack';
  if (old) releaseSecond(service, old, single, refuse);
  if (single) {
    for (const [list, what] of [
      [service.clusterIPs, 'cluster IPs'],
      [service.ipFamilies, 'IP families'],
    ] as const)
      if (list?.length === 2)
        refuse(`must be 'RequireDualStack' or 'PreferDualStack' when multiple ${what} are specified`);
  }
  const families = [...(service.ipFamilies ?? [])] as IPFamily[];
  for (const [index, address] of (service.clusterIPs ?? []).entries()) {
    if (address === 'None') break;
    if (index < families.length) continue;
    const family = familyOf(address);
    if (cluster.includes(family)) families.push(family);
    else
      errors.push(
        invalidValue(
          spec.child('clusterIPs').index(index),
          service.clusterIPs,
          `${family} is not configured on this cluster`,
        ),
      );
  }
  if (errors.length > 0) return errors;
  if (!anywhere) {
    if (policy === 'RequireDualStack' && cluster.length < 2)
      refuse('this cluster is not configured for dual-stack services');
    families.forEach((family, index) => {
      if (!cluster.includes(family))
        errors.push(invalidValue(familiesPath.index(index), family, 'not configured on this cluster'));
    });
    if (errors.length > 0) return errors;
  }
  families[0] ??= cluster[0]!;
  if (!single && families.length === 1 && (anywhere || cluster.length === 2))
    families.push(families[0] === 'IPv4' ? 'IPv6' : 'IPv4');
  service.ipFamilies = families;
  return [];
}

/** That the policy is single-stack now is reason enough to give the second address back; without it, taking it away is not. */
function releaseSecond(
  service: Draft<ServiceSpec>,
  old: ServiceSpec,
  single: boolean,
  refuse: (detail: string) => void,
): void {
  const sameIPs = semanticEqual(service.clusterIPs, old.clusterIPs);
  const sameFamilies = semanticEqual(service.ipFamilies, old.ipFamilies);
  const reduced = (list: readonly string[] | undefined, before: readonly string[] | undefined) =>
    list !== undefined && list.length > 0 && list.length < (before?.length ?? 0);
  if (single) {
    if (sameIPs) service.clusterIPs?.splice(1);
    if (sameFamilies) service.ipFamilies?.splice(1);
    return;
  }
  if (reduced(service.clusterIPs, old.clusterIPs)) refuse("must be 'SingleStack' to release the secondary cluster IP");
  if (reduced(service.ipFamilies, old.ipFamilies)) refuse("must be 'SingleStack' to release the secondary IP family");
}
