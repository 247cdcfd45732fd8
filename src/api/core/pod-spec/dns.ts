import {
  type FieldError,
  type FieldPath,
  forbiddenField,
  invalidValue,
  notSupported,
  required,
  tooLong,
} from '../../../apimachinery/field.ts';
import { isDns1123Subdomain, isDns1123SubdomainWithUnderscore } from '../../../apimachinery/names.ts';
import type { HostAlias, PodSpec } from '../../types/core.v1.gen.ts';
import { validateLegacyIP } from '../legacy-addresses.ts';

const policies = ['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'];

const MAX_NAMESERVERS = 3;
const MAX_SEARCH_PATHS = 32;
const MAX_SEARCH_CHARACTERS = 2048;

export function validateDnsPolicy({ dnsPolicy = '' }: PodSpec, path: FieldPath): FieldError[] {
  if (policies.includes(dnsPolicy)) return [];
  return dnsPolicy ? [notSupported(path, dnsPolicy, policies)] : [required(path)];
}

export function validateDnsConfig(spec: PodSpec, path: FieldPath): FieldError[] {
  const config = spec.dnsConfig;
  const errors: FieldError[] = [];
  if (spec.dnsPolicy === 'None') {
    if (!config) return [required(path, 'must provide `dnsConfig` when `dnsPolicy` is None')];
    if (!config.nameservers?.length)
      return [required(path.child('nameservers'), 'must provide at least one DNS nameserver when `dnsPolicy` is None')];
  }
  if (!config) return [];
  const { nameservers = [], searches = [], options = [] } = config;
  if (nameservers.length > MAX_NAMESERVERS)
    errors.push(
      invalidValue(path.child('nameservers'), nameservers, `must not have more than ${MAX_NAMESERVERS} nameservers`),
    );
  nameservers.forEach((server, index) => {
    errors.push(...validateLegacyIP(path.child('nameservers').index(index), server));
  });
  if (searches.length > MAX_SEARCH_PATHS)
    errors.push(
      invalidValue(path.child('searches'), searches, `must not have more than ${MAX_SEARCH_PATHS} search paths`),
    );
  if (searches.join(' ').length > MAX_SEARCH_CHARACTERS)
    errors.push(
      invalidValue(
        path.child('searches'),
        searches,
        `must not have more than ${MAX_SEARCH_CHARACTERS} characters (including spaces) in the search list`,
      ),
    );
  searches.forEach((search, index) => {
    if (search === '.') return;
    const name = search.endsWith('.') ? search.slice(0, -1) : search;
    for (const message of isDns1123SubdomainWithUnderscore(name))
      errors.push(invalidValue(path.child('searches').index(index), name, message));
  });
  options.forEach((option, index) => {
    if (!option.name) errors.push(required(path.child('options').index(index), 'must not be empty'));
  });
  return errors;
}

export function validateHostAliases(aliases: readonly HostAlias[] | undefined, path: FieldPath): FieldError[] {
  return (aliases ?? []).flatMap((alias, index) => [
    ...validateLegacyIP(path.index(index).child('ip'), alias.ip ?? ''),
    ...(alias.hostnames ?? []).flatMap((name, i) =>
      isDns1123Subdomain(name).map((message) =>
        invalidValue(path.index(index).child('hostnames').index(i), name, message),
      ),
    ),
  ]);
}

const MAX_HOSTNAME_BYTES = 64;

export function validateHostnameOverride(spec: PodSpec, path: FieldPath): FieldError[] {
  const { hostnameOverride: name } = spec;
  if (name === undefined) return [];
  const errors: FieldError[] = [];
  for (const field of ['setHostnameAsFQDN', 'hostNetwork'] as const)
    if (spec[field]) errors.push(forbiddenField(path, `may not be specified when ${field} is true`));
  if (Buffer.byteLength(name) > MAX_HOSTNAME_BYTES) errors.push(tooLong(path, MAX_HOSTNAME_BYTES));
  for (const message of isDns1123Subdomain(name)) errors.push(invalidValue(path, name, message));
  return errors;
}
