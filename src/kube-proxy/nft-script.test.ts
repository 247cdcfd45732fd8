import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { Service } from '../api/types/core.v1.gen.ts';
import type { EndpointSlice } from '../api/types/discovery.v1.gen.ts';
import { deltaScript, frameScript } from './nft-script.ts';
import { buildRuleset } from './ruleset.ts';
import { servicePorts } from './service-ports.ts';

const frame = { table: 'k8ts-test', serviceCIDR: '10.96.0.0/16' };
const options = { clusterCIDR: '10.244.0.0/16' };
const kernel = process.getuid?.() === 0 && spawnSync('unshare', ['-n', 'nft', 'list', 'tables']).status === 0;

/** Runs scripts one after the other in a fresh network namespace; returns the listing of the table. */
function inKernel(...scripts: string[]): string {
  const steps = scripts.map((_, i) => `printf '%s' "$S${i}" | nft -f -`);
  const env = Object.fromEntries(scripts.map((script, i) => [`S${i}`, script]));
  const result = spawnSync('unshare', ['-n', 'sh', '-ec', [...steps, 'nft list table ip k8ts-test'].join('\n')], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  if (result.status !== 0) throw new Error(result.stderr);
  return result.stdout;
}

const service = (spec: object, name = 'web'): Service =>
  ({
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace: 'default' },
    spec: { type: 'ClusterIP', clusterIP: '10.96.3.7', ports: [{ port: 80, protocol: 'TCP' }], ...spec },
  }) as Service;
const slice = (ips: string[], conditions: object = { ready: true }): EndpointSlice =>
  ({
    metadata: { name: 's', namespace: 'default' },
    addressType: 'IPv4',
    ports: [{ port: 8080 }],
    endpoints: ips.map((ip) => ({ addresses: [ip], conditions, nodeName: ip.endsWith('1') ? 'here' : 'there' })),
  }) as unknown as EndpointSlice;
const rules = (spec: object, slices: EndpointSlice[]) =>
  buildRuleset(servicePorts(service(spec), slices, 'here'), options);

describe('Service rules', () => {
  it('spreads a ClusterIP over its endpoints and masquerades hairpins and outsiders', () => {
    const { elements, chains } = rules({}, [slice(['10.244.0.1', '10.244.0.2'])]);
    expect([...elements.get('service-ips')!.keys()]).toEqual(['10.96.3.7 . tcp . 80']);
    expect([...elements.get('hairpins')!.keys()]).toContain('10.244.0.1 . 10.244.0.1');
    expect([...chains.values()][0]).toEqual([
      'ip daddr 10.96.3.7 ip saddr != 10.244.0.0/16 meta mark set meta mark or 0x4000',
      'meta l4proto tcp dnat to numgen random mod 2 map { 0 : 10.244.0.1 . 8080, 1 : 10.244.0.2 . 8080 }',
    ]);
  });

  it('rejects without endpoints, drops when only other nodes have some and the policy is Local', () => {
    expect(rules({}, []).elements.get('no-endpoints')!.get('10.96.3.7 . tcp . 80')).toBe('goto reject-chain');
    const local = rules({ internalTrafficPolicy: 'Local' }, [slice(['10.244.0.2'])]);
    expect(local.elements.get('no-endpoints')!.get('10.96.3.7 . tcp . 80')).toBe('drop');
  });

  it('uses terminating endpoints only while none is ready', () => {
    const terminating = slice(['10.244.0.9'], { ready: false, serving: true, terminating: true });
    expect(servicePorts(service({}), [terminating], 'here')[0]!.backends.map((b) => b.ip)).toEqual(['10.244.0.9']);
    expect(
      servicePorts(service({}), [terminating, slice(['10.244.0.1'])], 'here')[0]!.backends.map((b) => b.ip),
    ).toEqual(['10.244.0.1']);
  });

  it('leaves headless, ExternalName and foreign-proxy Services alone', () => {
    expect(servicePorts(service({ clusterIP: 'None' }), [], 'here')).toEqual([]);
    expect(servicePorts(service({ type: 'ExternalName', clusterIP: '' }), [], 'here')).toEqual([]);
  });

  it.skipIf(!kernel)(
    'the kernel takes every kind of rule, and a delta leads to the same table as a fresh start (needs root and nftables)',
    () => {
      const spec = {
        type: 'NodePort',
        ports: [{ port: 80, nodePort: 30080, protocol: 'TCP' }],
        externalIPs: ['192.0.2.7'],
      };
      const before = rules(spec, [slice(['10.244.0.1', '10.244.0.2'])]);
      const after = rules({ ...spec, sessionAffinity: 'ClientIP', externalTrafficPolicy: 'Local' }, [
        slice(['10.244.0.1', '10.244.0.3']),
      ]);
      const fresh = inKernel(frameScript(frame) + deltaScript('k8ts-test', undefined, after));
      const stepwise = inKernel(
        frameScript(frame) + deltaScript('k8ts-test', undefined, before),
        deltaScript('k8ts-test', before, after),
      );
      expect(sorted(stepwise)).toEqual(sorted(fresh));
      const emptied = inKernel(
        frameScript(frame) + deltaScript('k8ts-test', undefined, after),
        deltaScript('k8ts-test', after, buildRuleset([], options)),
      );
      expect(sorted(emptied)).toEqual(sorted(inKernel(frameScript(frame))));
      expect(deltaScript('k8ts-test', after, after)).toBe('');
    },
  );
});

/** Lines without regard to order: chains are listed in the order in which they were made. */
function sorted(listing: string): string[] {
  return listing
    .split('\n')
    .flatMap((line) => line.split(', '))
    .map((line) => line.replace(/[{}]|elements = |,$/g, '').trim())
    .filter(Boolean)
    .sort();
}
