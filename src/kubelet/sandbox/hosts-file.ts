import { readFile } from 'node:fs/promises';
import type { HostAlias, Pod } from '../../api/types/core.v1.gen.ts';
import type { PodHostname } from './hostname.ts';

/** The text of the /etc/hosts that all containers of a pod share. */
export async function podHostsFile(
  pod: Pod,
  podIPs: readonly string[],
  { hostname, domain }: PodHostname,
): Promise<string> {
  const aliases = hostAliases(pod.spec.hostAliases ?? []);
  if (pod.spec.hostNetwork) {
    return `# Kubernetes-managed hosts file (host network).\n${await readFile('/etc/hosts', 'utf8').catch(() => '')}${aliases}`;
  }
  const names = domain ? `${hostname}.${domain}\t${hostname}` : hostname;
  const lines = [
    '# Kubernetes-managed hosts file.',
    '127.0.0.1\tlocalhost',
    '::1\tlocalhost ip6-localhost ip6-loopback',
    'fe00::0\tip6-localnet',
    'fe00::0\tip6-mcastprefix',
    'fe00::1\tip6-allnodes',
    'fe00::2\tip6-allrouters',
    ...podIPs.map((ip) => `${ip}\t${names}`),
  ];
  return `${lines.join('\n')}\n${aliases}`;
}

function hostAliases(aliases: readonly HostAlias[]): string {
  if (aliases.length === 0) return '';
  const lines = aliases.map(({ ip, hostnames }) => `${ip}\t${(hostnames ?? []).join('\t')}`);
  return `\n# Entries added by HostAliases.\n${lines.join('\n')}\n`;
}
