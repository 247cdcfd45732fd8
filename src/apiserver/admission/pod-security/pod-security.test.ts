import { describe, expect, it } from 'vitest';
import { admit, FakeLookup, pod } from '../testing/admit.ts';
import { describeViolations, violationsOf } from './evaluate.ts';
import { podSecurity } from './pod-security.ts';

const labels = (values: Record<string, string>) =>
  Object.fromEntries(Object.entries(values).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]));
const namespace = (values: Record<string, string>) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name: 'shop', labels: labels(values) },
});
const stepFor = (values: Record<string, string>) =>
  podSecurity({ lookup: new FakeLookup().put('namespaces', namespace(values)) });

const secure = {
  allowPrivilegeEscalation: false,
  capabilities: { drop: ['ALL'] },
  runAsNonRoot: true,
  seccompProfile: { type: 'RuntimeDefault' },
};

describe('PodSecurity', () => {
  it('tells what is against the restricted level as Kubernetes does', async () => {
    await expect(admit(stepFor({ enforce: 'restricted' }), 'pods', pod())).rejects.toThrow(
      'pods "web" is forbidden: violates PodSecurity "restricted:latest": allowPrivilegeEscalation != false (container "c" must set securityContext.allowPrivilegeEscalation=false), unrestricted capabilities (container "c" must set securityContext.capabilities.drop=["ALL"]), runAsNonRoot != true (pod or container "c" must set securityContext.runAsNonRoot=true), seccompProfile (pod or container "c" must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost")',
    );
    const { audit } = await admit(
      stepFor({ enforce: 'restricted' }),
      'pods',
      pod({ containers: [{ name: 'c', securityContext: secure }] }),
    );
    expect(audit.get('pod-security.kubernetes.io/enforce-policy')).toBe('restricted:latest');
  });

  it('knows the baseline', () => {
    const told = (spec: object) =>
      describeViolations(violationsOf(pod(spec) as never, { level: 'baseline', version: 'latest' }));
    expect(told({})).toBe('');
    expect(told({ hostNetwork: true, hostPID: true })).toBe('host namespaces (hostNetwork=true, hostPID=true)');
    expect(told({ volumes: [{ name: 'v', hostPath: { path: '/' } }] })).toBe('hostPath volumes (volume "v")');
    expect(
      told({
        containers: [
          { name: 'a', securityContext: { privileged: true } },
          { name: 'b', securityContext: { privileged: true } },
        ],
      }),
    ).toBe('privileged (containers "a", "b" must not set securityContext.privileged=true)');
    expect(
      told({
        containers: [
          {
            name: 'a',
            ports: [{ containerPort: 80, hostPort: 80 }],
            securityContext: { capabilities: { add: ['SYS_ADMIN', 'CHOWN'] } },
          },
        ],
      }),
    ).toBe(
      'non-default capabilities (container "a" must not include "SYS_ADMIN" in securityContext.capabilities.add), hostPort (container "a" uses hostPort 80)',
    );
    expect(
      told({
        securityContext: {
          seccompProfile: { type: 'Unconfined' },
          sysctls: [{ name: 'kernel.msgmax' }],
          seLinuxOptions: { user: 'u' },
        },
      }),
    ).toBe(
      'seLinuxOptions (pod set forbidden securityContext.seLinuxOptions: user may not be set), seccompProfile (pod must not set securityContext.seccompProfile.type to "Unconfined"), forbidden sysctl (kernel.msgmax)',
    );
  });

  it('heeds versions', () => {
    const count = (version: number | 'latest') => violationsOf(pod() as never, { level: 'restricted', version }).length;
    expect(count(7)).toBe(1);
    expect(count(18)).toBe(2);
    expect(count('latest')).toBe(4);
    const sysctl = pod({ securityContext: { sysctls: [{ name: 'net.ipv4.tcp_rmem' }] } }) as never;
    expect(violationsOf(sysctl, { level: 'baseline', version: 31 })).toHaveLength(1);
    expect(violationsOf(sysctl, { level: 'baseline', version: 32 })).toHaveLength(0);
  });

  it('warns and audits, for workloads too, without refusing', async () => {
    const step = stepFor({ enforce: 'restricted', warn: 'baseline', 'warn-version': 'v1.30', audit: 'baseline' });
    const deployment = {
      metadata: { name: 'd', namespace: 'shop' },
      spec: { template: { spec: { hostPID: true, containers: [{ name: 'c' }] } } },
    };
    const { warnings, audit } = await admit(step, 'apps/deployments', deployment);
    expect(warnings).toEqual(['would violate PodSecurity "baseline:v1.30": host namespaces (hostPID=true)']);
    expect(audit.get('pod-security.kubernetes.io/audit-violations')).toBe(
      'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    );
  });

  it('tells the audit log what it enforced, and what it refused', async () => {
    const refused: Record<string, string> = {};
    const annotateAudit = (key: string, value: string) => {
      refused[key] = value;
    };
    const step = stepFor({ enforce: 'baseline', audit: 'baseline' });
    await expect(admit(step, 'pods', pod({ hostPID: true }), { annotateAudit })).rejects.toThrow(
      'violates PodSecurity',
    );
    expect(refused).toEqual({
      'pod-security.kubernetes.io/enforce-policy': 'baseline:latest',
      'pod-security.kubernetes.io/audit-violations':
        'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    });
    const { audit } = await admit(stepFor({}), 'pods', pod({ hostPID: true }));
    expect([...audit]).toEqual([['pod-security.kubernetes.io/enforce-policy', 'privileged:latest']]);
    const exempting = podSecurity({ lookup: new FakeLookup(), exempt: { namespaces: ['infra'] } });
    const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' };
    expect((await admit(exempting, 'namespaces', { metadata: { name: 'infra', labels } })).warnings).toEqual([
      'namespace "infra" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored',
    ]);
  });

  it('looks at an update of a pod only where it matters', async () => {
    const step = stepFor({ enforce: 'restricted' });
    const update = (object: object) => admit(step, 'pods', object, { operation: 'UPDATE', oldObject: pod() as never });
    await update(pod({}, { labels: { a: 'b' } }));
    await expect(update(pod({ containers: [{ name: 'c', image: 'other' }] }))).rejects.toThrow('violates PodSecurity');
  });

  it('refuses wrong labels and warns of pods that a tighter level would not let in', async () => {
    const lookup = new FakeLookup();
    for (const name of ['a', 'b', 'c']) lookup.put('pods', pod({ hostPID: true }, { name }));
    const step = podSecurity({ lookup });
    const change = (after: Record<string, string>, before: Record<string, string> = {}) =>
      admit(step, 'namespaces', namespace(after), {
        operation: 'UPDATE',
        namespace: 'shop',
        oldObject: namespace(before) as never,
      });
    await expect(change({ enforce: 'none' })).rejects.toThrow(
      'Namespace "shop" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "none": must be one of privileged, baseline, restricted',
    );
    await change({ enforce: 'none' }, { enforce: 'none' });
    expect((await change({ enforce: 'baseline' })).warnings).toEqual([
      'existing pods in namespace "shop" violate the new PodSecurity enforce level "baseline:latest"',
      'a (and 2 other pods): host namespaces',
    ]);
  });
});
