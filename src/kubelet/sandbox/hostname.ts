import type { Pod } from '../../api/types/core.v1.gen.ts';

const MAX_HOSTNAME = 63;

export interface PodHostname {
  readonly hostname: string;
  /** `subdomain.namespace.svc.domain`, or empty. */
  readonly domain: string;
}

/** The name that a pod has for itself, before the host network is considered. */
export function podHostname(pod: Pod, clusterDomain: string): PodHostname {
  const { hostname, hostnameOverride, subdomain, setHostnameAsFQDN } = pod.spec;
  if (hostnameOverride !== undefined) return { hostname: hostnameOverride, domain: '' };
  const name = hostname || truncate(pod.metadata.name);
  const domain = subdomain ? `${subdomain}.${pod.metadata.namespace}.svc.${clusterDomain}` : '';
  if (!setHostnameAsFQDN || domain === '') return { hostname: name, domain };
  const full = `${name}.${domain}`;
  if (full.length > 64)
    throw new Error(
      `failed to construct FQDN from Pod hostname and cluster domain, FQDN ${full} is too long (64 characters is the max, ${full.length} characters requested)`,
    );
  return { hostname: full, domain };
}

function truncate(name: string): string {
  return name.length <= MAX_HOSTNAME ? name : name.slice(0, MAX_HOSTNAME).replace(/[-.]+$/, '');
}
