import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import { deployment } from '../apps/deployment.ts';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { validateResize } from './pod-resize.ts';
import {
  applyEphemeralContainers,
  applyResize,
  bindPod,
  validateEphemeralContainersUpdate,
} from './pod-subresources.ts';
import { create, type Loose, minimalPod, podErrors, podOf, podUpdateErrors, update } from './testing.ts';

describe('pod updates', () => {
  const old = podOf({ ...minimalPod, tolerations: [{ key: 'a', operator: 'Exists' }], activeDeadlineSeconds: 10 });

  it('allows images, more tolerations and a shorter deadline', () => {
    const errors = podUpdateErrors((pod) => {
      pod.spec.containers[0]!.image = 'nginx:2';
      pod.spec.tolerations?.push({ key: 'b', operator: 'Exists' });
      pod.spec.activeDeadlineSeconds = 5;
    }, old);
    expect(errors).toEqual([]);
  });

  it('refuses all else in the words that clients look for', () => {
    const [error, ...more] = podUpdateErrors((pod) => {
      pod.spec.nodeSelector = { a: 'b' };
    }, old);
    expect(more).toEqual([]);
    expect(error).toContain(
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n',
    );
    expect(podUpdateErrors((pod) => pod.spec.containers.pop(), old)).toEqual([
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ]);
    expect(podUpdateErrors((pod) => void delete pod.spec.tolerations, old)).toEqual([
      'spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds',
    ]);
  });

  it('adds ephemeral containers through their subresource alone', () => {
    const requested = draft(old);
    requested.spec.ephemeralContainers = [{ name: 'debug', image: 'busybox', targetContainerName: 'web' }];
    requested.spec.nodeSelector = { ignored: 'yes' };
    podKind.default?.(requested);
    const next = applyEphemeralContainers(requested as Pod, old) as Pod;
    expect(next.spec.nodeSelector).toBeUndefined();
    expect(validateEphemeralContainersUpdate(next, old).map(String)).toEqual([]);
    expect(validateEphemeralContainersUpdate(old, next).map(String)).toEqual([
      'spec.ephemeralContainers: Forbidden: existing ephemeral containers "debug" may not be removed\n',
    ]);
    expect((podKind.validateCreate?.(next) ?? []).map(String)).toEqual([
      'spec.ephemeralContainers: Forbidden: cannot be set on create',
    ]);
  });

  it('resizes cpu and memory without a change of QoS class', () => {
    const limited = podOf({
      containers: [{ name: 'web', image: 'nginx', resources: { requests: { cpu: '1' }, limits: { cpu: '2' } } }],
    });
    const resize = (resources: object) => {
      const requested = draft(limited);
      requested.spec.containers[0]!.resources = resources;
      return validateResize(applyResize(requested as Pod, limited) as Pod, limited).map(String);
    };
    expect(resize({ requests: { cpu: '1500m' }, limits: { cpu: '2' } })).toEqual([]);
    expect(resize({ requests: { cpu: '1' }, limits: { cpu: '2', 'ephemeral-storage': '1Gi' } })).toEqual([
      'spec: Forbidden: only cpu and memory resources are mutable',
    ]);
    expect(resize({})).toContain(
      'spec: Invalid value: "Burstable": Pod QOS Class may not change as a result of resizing',
    );
  });

  it('binds a pod once', () => {
    const pod = draft(podOf(minimalPod));
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: 'web' },
      target: { kind: 'Node', name: 'n1' },
    };
    expect(bindPod(pod, binding, '2026-01-01T00:00:00Z')).toBeUndefined();
    expect(pod.spec.nodeName).toBe('n1');
    expect(pod.status?.conditions).toEqual([
      { type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
    ]);
    expect(bindPod(pod, binding, '2026-01-01T00:00:00Z')).toBe('pod web is already assigned to node "n1"');
  });
});

describe('what a pod had before a rule came', () => {
  const invalid = { matchExpressions: [{ key: 'a', operator: 'In', values: ['no value!'] }] };
  const projected = (source: object) => ({ ...minimalPod, volumes: [{ name: 'v', projected: { sources: [source] } }] });
  const account = { serviceAccountName: 'default' };
  const topology = { maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' };
  const wrong: readonly (readonly [string, object, object?])[] = [
    ['deletion cost', minimalPod, { annotations: { 'controller.kubernetes.io/pod-deletion-cost': 'high' } }],
    ['huge pages', { ...minimalPod, overhead: { 'hugepages-2Mi': '3Mi', memory: '1Mi' }, runtimeClassName: 'r' }],
    [
      'affinity selector',
      {
        ...minimalPod,
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'zone', labelSelector: invalid }],
          },
        },
      },
    ],
    [
      'node affinity value',
      {
        ...minimalPod,
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'In', values: ['no value!'] }] }],
            },
          },
        },
      },
    ],
    ['spread selector', { ...minimalPod, topologySpreadConstraints: [{ ...topology, labelSelector: invalid }] }],
    ['spread label keys', { ...minimalPod, topologySpreadConstraints: [{ ...topology, matchLabelKeys: ['a'] }] }],
    [
      'sysctl of the host',
      { ...minimalPod, hostNetwork: true, securityContext: { sysctls: [{ name: 'net.a', value: '1' }] } },
    ],
    ['token path', { ...projected({ serviceAccountToken: { path: '/t' } }), ...account }],
    ['host network', { ...minimalPod, hostNetwork: true, hostUsers: false }],
    ['comparing toleration', { ...minimalPod, tolerations: [{ key: 'a', operator: 'Gt', value: '1' }] }],
    ['SELinux policy', { ...minimalPod, securityContext: { seLinuxChangePolicy: 'MountOption' } }],
  ];

  it.each(wrong.map(([name, spec, metadata = {}]) => ({ name, spec, metadata })))(
    'may stay: $name',
    ({ spec, metadata }) => {
      const old = podOf(spec, metadata);
      expect(podErrors(old)).not.toEqual([]);
      const touched = update(podKind, old, (pod: Loose) => (pod.metadata.labels = { a: 'b' }));
      expect(touched.errors).toEqual([]);
      const template = { metadata: { ...metadata, labels: { a: 'b' } }, spec };
      const workload = create(deployment, { spec: { selector: { matchLabels: { a: 'b' } }, template } });
      expect(deployment.validate?.(workload)).not.toEqual([]);
      expect(update(deployment, workload, (next: Loose) => (next.spec.replicas = 2)).errors).toEqual([]);
    },
  );

  it('is dropped when its feature is off, unless it was there', () => {
    const spec = {
      ...projected({ clusterTrustBundle: { name: 'b', path: 'p' } }),
      schedulingGroup: { podGroupName: 'g' },
      containers: [{ name: 'web', image: 'nginx', lifecycle: { stopSignal: 'SIGUSR1' } }],
    };
    const made = podOf(spec);
    expect(made.spec).not.toHaveProperty('schedulingGroup');
    expect(made.spec.containers[0]).not.toHaveProperty('lifecycle');
    expect(made.spec.volumes?.[0]?.projected?.sources).toEqual([{}]);
    const old = draft(made) as Loose;
    Object.assign(old.spec, spec);
    expect(update(podKind, old, () => undefined).object.spec).toMatchObject(spec);
  });
});
