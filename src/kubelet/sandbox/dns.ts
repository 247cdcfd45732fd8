import { readFile } from 'node:fs/promises';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import type { DNSConfig } from '../runtime/sandbox-config.ts';

const MAX_NAMESERVERS = 3;
const MAX_SEARCHES = 32;
const MAX_SEARCH_CHARS = 2048;

export interface DNSOptions {
  readonly clusterDNS: readonly string[];
  readonly clusterDomain: string;
  /** `/etc/resolv.conf` unless the node has another for its pods. */
  readonly resolvConf: string;
}

/** The pod's resolv.conf by its policy; `onLimit` hears of entries left out. */
export async function podDNSConfig(
  pod: Pod,
  options: DNSOptions,
  onLimit: (message: string) => void,
): Promise<DNSConfig> {
  const host = parseResolvConf(await readFile(options.resolvConf, 'utf8').catch(() => ''));
  let policy = pod.spec.dnsPolicy ?? 'ClusterFirst';
  if (policy === 'ClusterFirst' && pod.spec.hostNetwork) policy = 'Default';
  if (policy === 'ClusterFirstWithHostNet') policy = 'ClusterFirst';
  let config: DNSConfig = { servers: [], searches: [], options: [] };
  if (policy === 'Default' || (policy === 'ClusterFirst' && options.clusterDNS.length === 0)) config = host;
  else if (policy === 'ClusterFirst') {
    const { clusterDomain } = options;
    const searches = clusterDomain
      ? [`${pod.metadata.namespace}.svc.${clusterDomain}`, `svc.${clusterDomain}`, clusterDomain]
      : [];
    config = { servers: options.clusterDNS, searches: unique([...searches, ...host.searches]), options: ['ndots:5'] };
  }
  const own = pod.spec.dnsConfig;
  if (own) {
    config = {
      servers: unique([...config.servers, ...(own.nameservers ?? [])]),
      searches: unique([...config.searches, ...(own.searches ?? [])]),
      options: mergeOptions(config.options, own.options ?? []),
    };
  }
  return limit(config, onLimit);
}

function parseResolvConf(text: string): DNSConfig {
  const servers: string[] = [];
  let searches: string[] = [];
  let options: string[] = [];
  for (const line of text.split('\n')) {
    const [keyword, ...values] = line.trim().split(/\s+/);
    if (keyword === 'nameserver' && values[0]) servers.push(values[0]);
    else if (keyword === 'search') searches = values.map((value) => (value === '.' ? value : value.replace(/\.$/, '')));
    else if (keyword === 'options') options = values;
  }
  return { servers, searches, options };
}

/** An option of the pod replaces one of the same name. */
function mergeOptions(
  options: readonly string[],
  own: readonly { readonly name?: string; readonly value?: string }[],
): string[] {
  const merged = new Map(options.map((option) => [option.split(':')[0] ?? option, option]));
  for (const { name = '', value } of own) merged.set(name, value ? `${name}:${value}` : name);
  return [...merged.values()];
}

function limit(config: DNSConfig, onLimit: (message: string) => void): DNSConfig {
  const servers = config.servers.slice(0, MAX_NAMESERVERS);
  if (servers.length < config.servers.length)
    onLimit(
      `Nameserver limits were exceeded, some nameservers have been omitted, the applied nameserver line is: ${servers.join(' ')}`,
    );
  const searches = config.searches.slice(0, MAX_SEARCHES);
  while (searches.join(' ').length > MAX_SEARCH_CHARS) searches.pop();
  if (searches.length < config.searches.length)
    onLimit(
      `Search Line limits were exceeded, some search paths have been omitted, the applied search line is: ${searches.join(' ')}`,
    );
  return { servers, searches, options: config.options };
}

const unique = (values: readonly string[]) => [...new Set(values)];
