import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { validateResize } from './pod-resize.ts';
import {
  applyEphemeralContainers,
  applyResize,
  bindPod,
  validateEphemeralContainersUpdate,
} from './pod-subresources.ts';
import { minimalPod, podOf, podUpdateErrors } from './testing.ts';

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
