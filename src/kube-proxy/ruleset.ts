import { createHash } from 'node:crypto';
import type { Backend, ServicePort } from './service-ports.ts';

/**
 * What the nftables table holds beside its fixed frame. Elements are `key` to `value` of a map (or empty for a set);
 * chains are lists of rules. Both are compared as text to send differences alone.
 */
export interface Ruleset {
  readonly elements: ReadonlyMap<ElementSet, ReadonlyMap<string, string>>;
  readonly chains: ReadonlyMap<string, readonly string[]>;
  /** Sets that remember clients of services with session affinity: name to timeout in seconds. */
  readonly affinitySets: ReadonlyMap<string, number>;
}

export type ElementSet =
  | 'service-ips'
  | 'node-ports'
  | 'no-endpoints'
  | 'no-endpoint-node-ports'
  | 'cluster-ips'
  | 'hairpins';

/** Marks packets whose source must become the node's, so that answers come back this way. */
export const MASQUERADE_MARK = '0x4000';

export interface RulesetOptions {
  /** Pods' range: what comes from elsewhere to a ClusterIP is masqueraded. */
  readonly clusterCIDR: string;
}

export function buildRuleset(ports: readonly ServicePort[], options: RulesetOptions): Ruleset {
  const builder = new Builder(options);
  for (const port of ports) builder.add(port);
  return builder;
}

class Builder implements Ruleset {
  readonly elements = new Map<ElementSet, Map<string, string>>();
  readonly chains = new Map<string, string[]>();
  readonly affinitySets = new Map<string, number>();
  readonly #options: RulesetOptions;

  constructor(options: RulesetOptions) {
    this.#options = options;
    for (const name of [
      'service-ips',
      'node-ports',
      'no-endpoints',
      'no-endpoint-node-ports',
      'cluster-ips',
      'hairpins',
    ] as const)
      this.elements.set(name, new Map());
  }

  add(port: ServicePort): void {
    const suffix = hash(`${port.id}/${port.protocol}/${port.port}`);
    const internal = port.internalLocalOnly ? port.backends.filter(({ local }) => local) : port.backends;
    const at = (ip: string) => `${ip} . ${port.protocol} . ${port.port}`;
    this.#element('cluster-ips', port.clusterIP, '');
    for (const { ip } of port.backends) this.#element('hairpins', `${ip} . ${ip}`, '');
    if (internal.length === 0)
      this.#element('no-endpoints', at(port.clusterIP), port.backends.length ? 'drop' : 'goto reject-chain');
    else {
      const chain = `service-${suffix}`;
      this.#element('service-ips', at(port.clusterIP), `goto ${chain}`);
      const masquerade = `ip daddr ${port.clusterIP} ip saddr != ${this.#options.clusterCIDR} meta mark set meta mark or ${MASQUERADE_MARK}`;
      this.chains.set(chain, [masquerade, ...this.#balance(port, internal, suffix)]);
    }
    if (port.nodePort || port.externalIPs.length) this.#addExternal(port, suffix, at);
  }

  /** What arrives from outside of the cluster: by node port, load balancer or external IP. */
  #addExternal(port: ServicePort, suffix: string, at: (ip: string) => string): void {
    const backends = port.externalLocalOnly ? port.backends.filter(({ local }) => local) : port.backends;
    const nodePort = `${port.protocol} . ${port.nodePort}`;
    if (backends.length === 0) {
      const verdict = port.backends.length ? 'drop' : 'goto reject-chain';
      if (port.nodePort) this.#element('no-endpoint-node-ports', nodePort, verdict);
      for (const ip of port.externalIPs) this.#element('no-endpoints', at(ip), verdict);
      return;
    }
    const chain = `external-${suffix}`;
    const rules: string[] = [];
    // With policy Local the client's address is kept, and only pods on this node may answer.
    if (!port.externalLocalOnly) rules.push(`meta mark set meta mark or ${MASQUERADE_MARK}`);
    else rules.push(`fib saddr type local meta mark set meta mark or ${MASQUERADE_MARK}`);
    this.chains.set(chain, [
      ...rules,
      ...this.#balance(port, backends, port.externalLocalOnly ? `${suffix}-local` : suffix),
    ]);
    if (port.nodePort) this.#element('node-ports', nodePort, `goto ${chain}`);
    if (port.sourceRanges.length)
      this.chains.set(`firewall-${suffix}`, [`ip saddr { ${port.sourceRanges.join(', ')} } goto ${chain}`, 'drop']);
    for (const ip of port.externalIPs)
      this.#element('service-ips', at(ip), `goto ${port.sourceRanges.length ? `firewall-${suffix}` : chain}`);
  }

  #balance(port: ServicePort, backends: readonly Backend[], suffix: string): string[] {
    if (port.affinitySeconds > 0) return this.#balanceWithAffinity(port, backends, suffix);
    const { protocol } = port;
    if (backends.length === 1) return [`meta l4proto ${protocol} dnat to ${backends[0]!.ip}:${backends[0]!.port}`];
    const map = backends.map(({ ip, port: target }, i) => `${i} : ${ip} . ${target}`).join(', ');
    return [`meta l4proto ${protocol} dnat to numgen random mod ${backends.length} map { ${map} }`];
  }

  /** A client that was seen goes where it went; others are spread by chance and remembered. */
  #balanceWithAffinity(port: ServicePort, backends: readonly Backend[], suffix: string): string[] {
    const endpoints = backends.map(({ ip, port: target }) => {
      const name = `${suffix}-${hash(`${ip}:${target}`)}`;
      const set = `affinity-${name}`;
      this.affinitySets.set(set, port.affinitySeconds);
      this.chains.set(`endpoint-${name}`, [
        `update @${set} { ip saddr timeout ${port.affinitySeconds}s }`,
        `meta l4proto ${port.protocol} dnat to ${ip}:${target}`,
      ]);
      return name;
    });
    const spread = endpoints.map((name, i) => `${i} : goto endpoint-${name}`).join(', ');
    return [
      ...endpoints.map((name) => `ip saddr @affinity-${name} goto endpoint-${name}`),
      `numgen random mod ${endpoints.length} vmap { ${spread} }`,
    ];
  }

  #element(set: ElementSet, key: string, value: string): void {
    const elements = this.elements.get(set)!;
    if (!elements.has(key)) elements.set(key, value); // of two services that claim one address the first has it
  }
}

function hash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 12);
}
