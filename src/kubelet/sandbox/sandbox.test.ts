import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { podDNSConfig } from './dns.ts';
import { podHostname } from './hostname.ts';
import { podSandboxConfig } from './pod-sandbox-config.ts';

const directory = mkdtempSync(join(tmpdir(), 'resolv-'));
const resolvConf = join(directory, 'resolv.conf');
writeFileSync(
  resolvConf,
  '# made by hand\nnameserver 8.8.8.8\nsearch corp.example. svc.cluster.local\noptions timeout:1\n',
);
afterAll(() => rmSync(directory, { recursive: true }));

const pod = (spec: Partial<Pod['spec']>): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web-0', namespace: 'ns', uid: 'u' },
  spec: { containers: [], ...spec },
});
const options = { clusterDNS: ['10.96.0.10'], clusterDomain: 'cluster.local', resolvConf };
const dns = (spec: Partial<Pod['spec']>, onLimit: (message: string) => void = () => {}) =>
  podDNSConfig(pod(spec), options, onLimit);

describe('podDNSConfig', () => {
  const cluster = {
    servers: ['10.96.0.10'],
    searches: ['ns.svc.cluster.local', 'svc.cluster.local', 'cluster.local', 'corp.example'],
    options: ['ndots:5'],
  };
  const host = { servers: ['8.8.8.8'], searches: ['corp.example', 'svc.cluster.local'], options: ['timeout:1'] };
  it('follows the policy', async () => {
    expect(await dns({})).toEqual(cluster);
    expect(await dns({ dnsPolicy: 'Default' })).toEqual(host);
    expect(await dns({ hostNetwork: true })).toEqual(host);
    expect(await dns({ hostNetwork: true, dnsPolicy: 'ClusterFirstWithHostNet' })).toEqual(cluster);
    expect(
      await dns({
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x'], options: [{ name: 'edns0' }] },
      }),
    ).toEqual({ servers: ['1.1.1.1'], searches: ['x'], options: ['edns0'] });
  });
  it("adds the pod's own entries, and says what it leaves out", async () => {
    const said: string[] = [];
    const config = await dns(
      { dnsConfig: { nameservers: ['1.1.1.1', '2.2.2.2', '3.3.3.3'], options: [{ name: 'ndots', value: '2' }] } },
      (message) => said.push(message),
    );
    expect(config.servers).toEqual(['10.96.0.10', '1.1.1.1', '2.2.2.2']);
    expect(config.options).toEqual(['ndots:2']);
    expect(said[0]).toContain('Nameserver limits were exceeded');
  });
});

describe('podHostname', () => {
  it('is the name, cut to 63 characters, or what the pod says', () => {
    expect(podHostname(pod({}), 'cluster.local')).toEqual({ hostname: 'web-0', domain: '' });
    expect(podHostname(pod({ hostname: 'h', subdomain: 's', setHostnameAsFQDN: true }), 'c.local').hostname).toBe(
      'h.s.ns.svc.c.local',
    );
    const long: Pod = { ...pod({}), metadata: { name: `${'a'.repeat(62)}-b` } };
    expect(podHostname(long, '').hostname).toBe('a'.repeat(62));
  });
});

describe('podSandboxConfig', () => {
  it('maps host ports, and none on the host network', () => {
    const spec = {
      containers: [
        {
          name: 'c',
          ports: [
            { containerPort: 80, hostPort: 8080 },
            { containerPort: 81 },
            { containerPort: 53, hostPort: 53, protocol: 'UDP', hostIP: '127.0.0.1' },
          ],
        },
      ],
    };
    const rest = {
      attempt: 0,
      hostname: 'h',
      dnsConfig: undefined,
      logDirectory: '/l',
      cgroupParent: '/c',
      instance: 'i',
      seccompDir: '',
    };
    expect(podSandboxConfig(pod(spec), rest).portMappings).toEqual([
      { containerPort: 80, hostPort: 8080, hostIp: '', protocol: 'TCP' },
      { containerPort: 53, hostPort: 53, hostIp: '127.0.0.1', protocol: 'UDP' },
    ]);
    expect(podSandboxConfig(pod({ ...spec, hostNetwork: true }), rest)).toMatchObject({
      portMappings: [],
      hostname: '',
    });
  });
});
