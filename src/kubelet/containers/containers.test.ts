import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { expandVariables } from './expansion.ts';
import { containerResourceValue, podFieldValue } from './pod-fields.ts';
import { containerLinuxResources, podResources, qosClassOf } from './resources.ts';
import { linuxSecurityContext } from './security-context.ts';

const pod = (containers: Pod['spec']['containers'], spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'ns', uid: 'u' },
  spec: { containers, ...spec },
});

describe('expandVariables', () => {
  it.each([
    ['$(A)', '1'],
    ['x$(A)y$(B)', 'x1y2'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$1'],
    ['$(NONE)', '$(NONE)'],
    ['$(A', '$(A'],
    ['$A $' + '{A} $', '$A $' + '{A} $'],
    ['$()', '$()'],
  ])('%s is %s', (text, wanted) => {
    expect(expandVariables(text, (name) => ({ A: '1', B: '2' })[name])).toBe(wanted);
  });
});

describe('field values', () => {
  it('reads single labels and whole maps', () => {
    const labelled: Pod = { ...pod([]), metadata: { name: 'p', labels: { b: '2', a: 'x"y' } } };
    const none = { podIPs: [], hostIPs: [] };
    expect(podFieldValue(labelled, "metadata.labels['b']", none)).toBe('2');
    expect(podFieldValue(labelled, 'metadata.labels', none)).toBe('a="x\\"y"\nb="2"');
  });
  it('takes what the node can give for a limit that is not set, and rounds up to the divisor', () => {
    const container = { resources: { limits: { memory: '1500Ki' }, requests: { cpu: '250m' } } };
    const allocatable = { cpu: '4', memory: '8Gi' };
    expect(containerResourceValue({ resource: 'limits.memory', divisor: '1Mi' }, container, allocatable)).toBe('2');
    expect(containerResourceValue({ resource: 'limits.cpu' }, container, allocatable)).toBe('4');
    expect(containerResourceValue({ resource: 'requests.cpu' }, container, allocatable)).toBe('1');
    expect(containerResourceValue({ resource: 'requests.cpu', divisor: '1m' }, container, allocatable)).toBe('250');
  });
});

describe('resources', () => {
  const both = { cpu: '500m', memory: '64Mi' };
  it('knows the quality of service classes', () => {
    expect(qosClassOf(pod([{ name: 'c' }]))).toBe('BestEffort');
    expect(qosClassOf(pod([{ name: 'c', resources: { limits: both } }]))).toBe('Guaranteed');
    expect(qosClassOf(pod([{ name: 'c', resources: { limits: both, requests: { ...both, cpu: '0.5' } } }]))).toBe(
      'Guaranteed',
    );
    expect(qosClassOf(pod([{ name: 'c', resources: { limits: both } }, { name: 'd' }]))).toBe('Burstable');
    expect(qosClassOf(pod([{ name: 'c', resources: { requests: { cpu: '1' } } }]))).toBe('Burstable');
  });
  it('turns them into shares, quota, limit and OOM score', () => {
    const burstable = pod([
      { name: 'c', resources: { requests: { cpu: '250m', memory: '1Gi' }, limits: { cpu: '1500m', memory: '2Gi' } } },
    ]);
    expect(
      containerLinuxResources(burstable, burstable.spec.containers[0]!, {
        memoryCapacity: 4 * 2 ** 30,
        cgroupVersion: 2,
      }),
    ).toEqual({
      cpuPeriod: 100_000,
      cpuQuota: 150_000,
      cpuShares: 256,
      memoryLimitInBytes: 2 ** 31,
      oomScoreAdj: 750,
      unified: { 'memory.oom.group': '1' },
    });
  });
  it('limits a pod only if all its containers are limited, and counts sidecars', () => {
    const sidecar = { name: 's', restartPolicy: 'Always', resources: { limits: both } };
    expect(podResources(pod([{ name: 'c', resources: { limits: both } }], { initContainers: [sidecar] }))).toEqual({
      cpuShares: 1024,
      cpuQuota: 100_000,
      memoryLimit: 2 ** 27,
    });
    expect(podResources(pod([{ name: 'c', resources: { limits: both } }, { name: 'd' }]))).toMatchObject({
      cpuQuota: 0,
      memoryLimit: 0,
    });
    expect(
      podResources(
        pod([{ name: 'c', resources: { requests: { cpu: '100m' } } }], {
          initContainers: [{ name: 'i', resources: { requests: { cpu: '1' } } }],
        }),
      ).cpuShares,
    ).toBe(1024);
  });
});

describe('linuxSecurityContext', () => {
  const options = { seccompDir: '/seccomp' };
  const image = { id: 'i', repoTags: [], repoDigests: [], sizeBytes: 1 };
  it('refuses root where the pod forbids it', () => {
    const strict = pod([{ name: 'c' }], { securityContext: { runAsNonRoot: true } });
    const [container] = strict.spec.containers;
    expect(() => linuxSecurityContext(strict, container!, { ...image, uid: 0 }, options)).toThrow(
      'container has runAsNonRoot and image will run as root (pod: "p_ns(u)", container: c)',
    );
    expect(() => linuxSecurityContext(strict, container!, { ...image, username: 'app' }, options)).toThrow(
      'image has non-numeric user (app), cannot verify user is non-root',
    );
    expect(linuxSecurityContext(strict, container!, { ...image, uid: 7 }, options).runAsUser).toEqual({ value: 7 });
  });
  it('lets the container override the pod, and unmasks /proc for the privileged alone', () => {
    const mixed = pod(
      [{ name: 'c', securityContext: { runAsUser: 5, capabilities: { add: ['NET_ADMIN'], drop: ['ALL'] } } }],
      {
        securityContext: {
          runAsUser: 1,
          runAsGroup: 2,
          seccompProfile: { type: 'Localhost', localhostProfile: 'x.json' },
        },
      },
    );
    const context = linuxSecurityContext(mixed, mixed.spec.containers[0]!, image, options);
    expect(context).toMatchObject({
      runAsUser: { value: 5 },
      runAsGroup: { value: 2 },
      seccomp: { profileType: 'Localhost', localhostRef: '/seccomp/x.json' },
      capabilities: { addCapabilities: ['NET_ADMIN'], dropCapabilities: ['ALL'] },
    });
    expect(context.maskedPaths).toContain('/proc/kcore');
    expect(
      linuxSecurityContext(mixed, { name: 'c', securityContext: { privileged: true } }, image, options),
    ).toMatchObject({ maskedPaths: [], readonlyPaths: [] });
  });
});
