import { type ElementSet, MASQUERADE_MARK, type Ruleset } from './ruleset.ts';

/** Types of the maps and sets of the frame, as nft writes them. */
const SETS: Readonly<Record<ElementSet, { readonly kind: 'map' | 'set'; readonly type: string }>> = {
  'service-ips': { kind: 'map', type: 'ipv4_addr . inet_proto . inet_service : verdict' },
  'node-ports': { kind: 'map', type: 'inet_proto . inet_service : verdict' },
  'no-endpoints': { kind: 'map', type: 'ipv4_addr . inet_proto . inet_service : verdict' },
  'no-endpoint-node-ports': { kind: 'map', type: 'inet_proto . inet_service : verdict' },
  'cluster-ips': { kind: 'set', type: 'ipv4_addr' },
  hairpins: { kind: 'set', type: 'ipv4_addr . ipv4_addr' },
};

const CHUNK = 500;

export interface FrameOptions {
  readonly table: string;
  readonly serviceCIDR: string;
}

/** Replaces the whole table: its frame, empty of services. */
export function frameScript({ table, serviceCIDR }: FrameOptions): string {
  const sets = Object.entries(SETS).map(([name, { kind, type }]) => `  ${kind} ${name} { type ${type}; }`);
  return `add table ip ${table}
delete table ip ${table}
table ip ${table} {
${sets.join('\n')}
  chain reject-chain {
    meta l4proto tcp reject with tcp reset
    reject
  }
  chain services {
    ip daddr . meta l4proto . th dport vmap @service-ips
    fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @node-ports
    ip daddr 127.0.0.0/8 oif lo meta l4proto . th dport vmap @node-ports
  }
  chain no-endpoint-services {
    ip daddr . meta l4proto . th dport vmap @no-endpoints
    fib daddr type local meta l4proto . th dport vmap @no-endpoint-node-ports
    ip daddr ${serviceCIDR} ip daddr @cluster-ips goto reject-chain
    ip daddr ${serviceCIDR} goto reject-chain
  }
  chain nat-prerouting {
    type nat hook prerouting priority dstnat; policy accept;
    jump services
  }
  chain nat-output {
    type nat hook output priority -100; policy accept;
    jump services
  }
  chain nat-postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    meta mark and ${MASQUERADE_MARK} != 0 meta mark set meta mark and 0xffffbfff masquerade fully-random
    ip saddr . ip daddr @hairpins ct status dnat masquerade fully-random
  }
  chain filter-prerouting {
    type filter hook prerouting priority raw; policy accept;
    iif != lo ip daddr 127.0.0.0/8 drop
  }
  chain filter-input {
    type filter hook input priority -110; policy accept;
    ct state new jump no-endpoint-services
  }
  chain filter-forward {
    type filter hook forward priority -110; policy accept;
    ct state new jump no-endpoint-services
  }
  chain filter-output {
    type filter hook output priority -90; policy accept;
    ct state new jump no-endpoint-services
  }
}
`;
}

/** The difference between two rulesets as one nft transaction; empty when there is none. */
export function deltaScript(table: string, before: Ruleset | undefined, after: Ruleset): string {
  const lines: string[] = [];
  const oldChains = before?.chains ?? new Map<string, readonly string[]>();
  for (const [name, timeout] of after.affinitySets) {
    if (!before?.affinitySets.has(name))
      lines.push(`add set ip ${table} ${name} { type ipv4_addr; flags dynamic,timeout; timeout ${timeout}s; }`);
  }
  const changed = [...after.chains].filter(([name, rules]) => oldChains.get(name)?.join('\n') !== rules.join('\n'));
  // All chains exist before any rule may go to one.
  for (const [name] of changed) lines.push(`add chain ip ${table} ${name}`);
  for (const [name, rules] of changed) {
    if (oldChains.has(name)) lines.push(`flush chain ip ${table} ${name}`);
    for (const rule of rules) lines.push(`add rule ip ${table} ${name} ${rule}`);
  }
  for (const set of Object.keys(SETS) as ElementSet[]) {
    const old = before?.elements.get(set) ?? new Map<string, string>();
    const now = after.elements.get(set) ?? new Map<string, string>();
    const gone = [...old].filter(([key, value]) => now.get(key) !== value).map(([key]) => key);
    const added = [...now]
      .filter(([key, value]) => old.get(key) !== value)
      .map(([key, value]) => (value ? `${key} : ${value}` : key));
    for (const chunk of chunked(gone)) lines.push(`delete element ip ${table} ${set} { ${chunk.join(', ')} }`);
    for (const chunk of chunked(added)) lines.push(`add element ip ${table} ${set} { ${chunk.join(', ')} }`);
  }
  const goneChains = [...oldChains.keys()].filter((name) => !after.chains.has(name));
  for (const name of goneChains) lines.push(`flush chain ip ${table} ${name}`);
  for (const name of goneChains) lines.push(`delete chain ip ${table} ${name}`);
  for (const name of before?.affinitySets.keys() ?? [])
    if (!after.affinitySets.has(name)) lines.push(`delete set ip ${table} ${name}`);
  return lines.length ? `${lines.join('\n')}\n` : '';
}

function chunked<T>(items: readonly T[]): T[][] {
  const chunks: T[][] = [];
  for (let i = 0; i < items.length; i += CHUNK) chunks.push(items.slice(i, i + CHUNK));
  return chunks;
}
