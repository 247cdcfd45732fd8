import { describe, expect, it } from 'vitest';
import type { Node } from '../api/types/core.v1.gen.ts';
import { overlayCommands, overlayMac, overlayPeers } from './overlay.ts';

const node = (name: string, podCIDR: string | undefined, ...addresses: string[]): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name },
  spec: podCIDR ? { podCIDR } : {},
  status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
});

const peers = (...list: [podCIDR: string, nodeIP: string][]) =>
  new Map(list.map(([podCIDR, nodeIP]) => [podCIDR, { podCIDR, nodeIP }]));

const nothing = { ip: [], bridge: [] };

describe('overlay', () => {
  it('reaches nodes on other hosts that have a range for pods', () => {
    const nodes = [
      node('self', '10.244.0.0/24', '10.0.0.1'),
      node('beside', '10.244.1.0/24', '10.0.0.1'),
      node('other', '10.244.2.0/24', 'fd00::2', '10.0.0.2'),
      node('without range', undefined, '10.0.0.3'),
      node('without address', '10.244.4.0/24'),
    ];
    expect(overlayPeers(nodes, '10.0.0.1')).toEqual([{ podCIDR: '10.244.2.0/24', nodeIP: '10.0.0.2' }]);
  });

  it('derives one address per host', () => {
    expect(overlayMac('10.0.200.3')).toBe('02:6b:0a:00:c8:03');
  });

  it('writes what is new and leaves the rest alone', () => {
    const before = peers(['10.244.1.0/24', '10.0.0.2']);
    const { removed, added } = overlayCommands(
      'vx',
      before,
      peers(['10.244.1.0/24', '10.0.0.2'], ['10.244.2.0/24', '10.0.0.3']),
    );
    expect(removed).toEqual(nothing);
    expect(added).toEqual({
      bridge: ['fdb replace 02:6b:0a:00:00:03 dst 10.0.0.3 dev vx'],
      ip: [
        'neigh replace 10.244.2.0 lladdr 02:6b:0a:00:00:03 nud permanent dev vx',
        'route replace 10.244.2.0/24 via 10.244.2.0 dev vx onlink',
      ],
    });
    expect(overlayCommands('vx', before, before)).toEqual({ removed: nothing, added: nothing });
  });

  it('keeps the forwarding entry of a host while one of its nodes is left', () => {
    const both = peers(['10.244.1.0/24', '10.0.0.2'], ['10.244.2.0/24', '10.0.0.2']);
    const one = peers(['10.244.1.0/24', '10.0.0.2']);
    expect(overlayCommands('vx', both, one).removed).toEqual({
      bridge: [],
      ip: ['route del 10.244.2.0/24 dev vx', 'neigh del 10.244.2.0 dev vx'],
    });
    expect(overlayCommands('vx', one, peers()).removed.bridge).toEqual([
      'fdb del 02:6b:0a:00:00:02 dst 10.0.0.2 dev vx',
    ]);
  });

  it('follows a node to its new address', () => {
    const { removed, added } = overlayCommands(
      'vx',
      peers(['10.244.1.0/24', '10.0.0.2']),
      peers(['10.244.1.0/24', '10.0.0.9']),
    );
    expect(removed).toEqual({ ip: [], bridge: ['fdb del 02:6b:0a:00:00:02 dst 10.0.0.2 dev vx'] });
    expect(added.bridge).toEqual(['fdb replace 02:6b:0a:00:00:09 dst 10.0.0.9 dev vx']);
    expect(added.ip).toContain('neigh replace 10.244.1.0 lladdr 02:6b:0a:00:00:09 nud permanent dev vx');
  });

  it('deletes what an earlier run left for a node that is gone', () => {
    expect(overlayCommands('vx', peers(['10.244.7.0/24', '']), peers()).removed).toEqual({
      bridge: [],
      ip: ['route del 10.244.7.0/24 dev vx', 'neigh del 10.244.7.0 dev vx'],
    });
  });
});
