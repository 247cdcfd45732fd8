import { FieldPath } from '../../apimachinery/field.ts';
import type { Service } from '../types/core.v1.gen.ts';
import { addressWarnings, rangeWarnings } from './address-warnings.ts';
import { isHeadless } from './service-addresses.ts';
import { hintsKey, modeKey } from './service-validation.ts';

const path = FieldPath.of('spec');

export function serviceWarnings({ metadata, spec }: Service): string[] {
  if (!spec) return [];
  const warnings: string[] = [];
  const { clusterIPs = [], externalIPs = [], loadBalancerIP, loadBalancerSourceRanges = [], type } = spec;
  if (metadata.annotations?.[hintsKey] !== undefined)
    warnings.push(`annotation ${hintsKey} is deprecated, please use ${modeKey} instead`);
  if (!isHeadless(spec)) warnings.push(...formWarnings(clusterIPs, 'clusterIPs'));
  else {
    if (loadBalancerIP) warnings.push('spec.loadBalancerIP is ignored for headless services');
    if (externalIPs.length > 0) warnings.push('spec.externalIPs is ignored for headless services');
    if (spec.sessionAffinity !== 'None') warnings.push('spec.SessionAffinity is ignored for headless services');
  }
  warnings.push(...formWarnings(externalIPs, 'externalIPs'));
  if (externalIPs.length > 0 && !isHeadless(spec) && type !== 'ExternalName')
    warnings.push('spec.externalIPs is deprecated and may no longer be implemented in some clusters');
  if (loadBalancerIP) warnings.push(...addressWarnings(path.child('loadBalancerIP'), loadBalancerIP));
  loadBalancerSourceRanges.forEach((range, index) => {
    warnings.push(...rangeWarnings(path.child('loadBalancerSourceRanges').index(index), range));
  });
  if (type === 'ExternalName' && externalIPs.length > 0)
    warnings.push('spec.externalIPs is ignored when spec.type is "ExternalName"');
  if (type !== 'ExternalName' && spec.externalName)
    warnings.push('spec.externalName is ignored when spec.type is not "ExternalName"');
  if (spec.trafficDistribution === 'PreferClose')
    warnings.push('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"');
  return warnings;
}

const formWarnings = (addresses: readonly string[], field: string) =>
  addresses.flatMap((address, index) => addressWarnings(path.child(field).index(index), address));

export function serviceStatusWarnings({ status }: Service): string[] {
  const points = FieldPath.of('status', 'loadBalancer', 'ingress');
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip }, index) =>
    ip ? addressWarnings(points.index(index), ip) : [],
  );
}
