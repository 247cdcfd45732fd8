import { type FieldError, type FieldPath, invalidValue, notSupported, required } from '../../../apimachinery/field.ts';
import { isDns1123Label, isDns1123Subdomain, isIP } from '../../../apimachinery/names.ts';
import type { HostAlias, PodSpec } from '../../types/core.v1.gen.ts';

const policies = ['ClusterFirst', 'ClusterFirstWithHostNet', 'Default', 'None'];

const MAX_NAMESERVERS = 3;
const MAX_SEARCH_PATHS = 32;
const MAX_SEARCH_CHARACTERS = 2048;

/** DNS policy and configuration, host aliases, host name and subdomain. */
export function validatePodDns(spec: PodSpec, path: FieldPath): FieldError[] {
  return [
    ...validatePolicy(spec, path),
    ...validateConfig(spec, path.child('dnsConfig')),
    ...validateHostAliases(spec.hostAliases, path.child('hostAliases')),
    ...validateHostNames(spec, path),
  ];
}

function validatePolicy(spec: PodSpec, path: FieldPath): FieldError[] {
  const policy = spec.dnsPolicy ?? '';
  if (policies.includes(policy)) return [];
  return policy ? [notSupported(path.child('dnsPolicy'), policy, policies)] : [required(path.child('dnsPolicy'))];
}

function validateConfig(spec: PodSpec, path: FieldPath): FieldError[] {
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
    for (const message of isIP(server))
      errors.push(invalidValue(path.child('nameservers').index(index), server, message));
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
    const name = (search.endsWith('.') ? search.slice(0, -1) : search).replaceAll('_', '-');
    for (const message of isDns1123Subdomain(name))
      errors.push(invalidValue(path.child('searches').index(index), search, message));
  });
  options.forEach((option, index) => {
    if (!option.name) errors.push(required(path.child('options').index(index), 'must not be empty'));
  });
  return errors;
}

function validateHostAliases(aliases: readonly HostAlias[] | undefined, path: FieldPath): FieldError[] {
  return (aliases ?? []).flatMap((alias, index) => [
    ...isIP(alias.ip ?? '').map((message) => invalidValue(path.index(index).child('ip'), alias.ip ?? '', message)),
    ...(alias.hostnames ?? []).flatMap((name, i) =>
      isDns1123Subdomain(name).map((message) =>
        invalidValue(path.index(index).child('hostnames').index(i), name, message),
      ),
    ),
  ]);
}

function validateHostNames(spec: PodSpec, path: FieldPath): FieldError[] {
  const errors: FieldError[] = [];
  for (const field of ['hostname', 'subdomain'] as const) {
    const name = spec[field];
    if (name) for (const message of isDns1123Label(name)) errors.push(invalidValue(path.child(field), name, message));
  }
  if (spec.hostnameOverride) {
    const at = path.child('hostnameOverride');
    for (const message of isDns1123Subdomain(spec.hostnameOverride))
      errors.push(invalidValue(at, spec.hostnameOverride, message));
    if (spec.hostnameOverride.length > 64)
      errors.push(invalidValue(at, spec.hostnameOverride, 'must be no more than 64 characters'));
    if (spec.hostNetwork || spec.setHostnameAsFQDN)
      errors.push(
        invalidValue(
          at,
          spec.hostnameOverride,
          `may not be specified when \`${spec.hostNetwork ? 'hostNetwork' : 'setHostnameAsFQDN'}\` is true`,
        ),
      );
  }
  return errors;
}
