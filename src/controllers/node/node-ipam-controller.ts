import type { Node } from '../../api/types/core.v1.gen.ts';
import { Nodes } from '../../client/resource-types.gen.ts';
import { type ControllerDefinition, defineController, TerminalError, watch } from '../runtime/index.ts';
import { createCidrSet } from './cidr-set.ts';

export interface NodeIpamOptions {
  /** One per IP family; `10.244.0.0/16` when absent. */
  readonly clusterCidrs?: readonly string[];
  /** Prefix length of a node's share: 24. */
  readonly nodeMaskIPv4?: number;
  /** 64. */
  readonly nodeMaskIPv6?: number;
}

/** Gives every node its share of the cluster's pod addresses: `spec.podCIDR`. */
export function nodeIpamController(options: NodeIpamOptions = {}): ControllerDefinition {
  const clusterCidrs = options.clusterCidrs ?? ['10.244.0.0/16'];
  return defineController({
    name: 'node-ipam-controller',
    // One at a time: two nodes must not be given the same subnet.
    concurrency: 1,
    setup(context) {
      const sets = clusterCidrs.map((cidr) =>
        createCidrSet(cidr, cidr.includes(':') ? (options.nodeMaskIPv6 ?? 64) : (options.nodeMaskIPv4 ?? 24)),
      );
      /** What each node holds, or is about to. */
      const held = new Map<string, readonly string[]>();
      let primed = false;

      function prime(): void {
        if (primed) return;
        primed = true;
        for (const node of context.informer(Nodes).list()) occupy(node);
      }
      function occupy(node: Node): void {
        const cidrs = cidrsOf(node);
        if (cidrs.length === 0) return;
        for (const cidr of cidrs) for (const set of sets) set.occupy(cidr);
        held.set(node.metadata.name, cidrs);
      }
      function release(name: string): void {
        for (const cidr of held.get(name) ?? []) for (const set of sets) set.release(cidr);
        held.delete(name);
      }

      return {
        watches: [watch(Nodes, { when: ({ object, old }) => !old || cidrsOf(object).length !== cidrsOf(old).length })],
        async reconcile({ name }, { client, informer, events }) {
          prime();
          const node = informer(Nodes).get(name);
          if (!node) return release(name);
          if (cidrsOf(node).length > 0) return occupy(node);
          const cidrs = held.get(name) ?? sets.map((set) => set.allocate() ?? '');
          held.set(
            name,
            cidrs.filter((cidr) => cidr !== ''),
          );
          if (cidrs.includes('')) {
            release(name);
            events.event(node, 'Normal', 'CIDRNotAvailable', `Node ${name} status is now: CIDRNotAvailable`);
            throw new TerminalError('failed to allocate a pod CIDR: there are no remaining CIDRs left to allocate');
          }
          await client.for(Nodes).patch({ name }, 'merge', { spec: { podCIDR: cidrs[0], podCIDRs: cidrs } });
        },
      };
    },
  });
}

function cidrsOf(node: Node): readonly string[] {
  return node.spec?.podCIDRs ?? (node.spec?.podCIDR ? [node.spec.podCIDR] : []);
}
