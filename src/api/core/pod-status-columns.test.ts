import { describe, expect, it } from 'vitest';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { minimalPod, now, podOf } from './testing.ts';

describe('pod columns', () => {
  const created = { creationTimestamp: '2026-01-01T00:00:00Z' };
  const rowOf = (pod: Pod) => Object.fromEntries(podKind.columns.map(({ name, value }) => [name, value(pod, now)]));
  const withStatus = (status: object, spec: object = minimalPod, metadata: object = {}) =>
    ({ ...podOf(spec, { ...created, ...metadata }), status }) as Pod;
  const running = { name: 'web', ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} } };

  it('prints a running pod', () => {
    const pod = withStatus(
      { phase: 'Running', podIPs: [{ ip: '10.0.0.5' }], containerStatuses: [running] },
      { ...minimalPod, nodeName: 'n1', readinessGates: [{ conditionType: 'example.com/x' }] },
    );
    expect(rowOf(pod)).toEqual({
      Name: 'web',
      Ready: '1/1',
      Status: 'Running',
      Restarts: '0',
      Age: '60m',
      IP: '10.0.0.5',
      Node: 'n1',
      'Nominated Node': '<none>',
      'Readiness Gates': '0/1',
    });
  });

  it('counts restarts and says when the last was', () => {
    const crashed = {
      ...running,
      ready: false,
      restartCount: 3,
      state: { waiting: { reason: 'CrashLoopBackOff' } },
      lastState: { terminated: { exitCode: 1, finishedAt: '2026-01-01T00:55:00Z' } },
    };
    expect(rowOf(withStatus({ phase: 'Running', containerStatuses: [crashed] }))).toMatchObject({
      Ready: '0/1',
      Status: 'CrashLoopBackOff',
      Restarts: '3 (5m ago)',
    });
  });

  const init = {
    initContainers: [
      { name: 'a', image: 'x' },
      { name: 'b', image: 'x' },
    ],
    ...minimalPod,
  };
  const done = { name: 'a', state: { terminated: { exitCode: 0 } } };
  it.each([
    ['Pending', {}, minimalPod, {}],
    ['Init:1/2', { initContainerStatuses: [done, { name: 'b', state: { running: {} } }] }, init, {}],
    ['Init:ExitCode:2', { initContainerStatuses: [{ name: 'a', state: { terminated: { exitCode: 2 } } }] }, init, {}],
    [
      'Init:ErrImagePull',
      { initContainerStatuses: [{ name: 'a', state: { waiting: { reason: 'ErrImagePull' } } }] },
      init,
      {},
    ],
    [
      'Completed',
      {
        phase: 'Succeeded',
        containerStatuses: [{ name: 'web', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
      minimalPod,
      {},
    ],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }, minimalPod, {}],
    [
      'Terminating',
      { phase: 'Running', containerStatuses: [running] },
      minimalPod,
      { deletionTimestamp: '2026-01-01T00:59:00Z' },
    ],
    [
      'Completed',
      {
        phase: 'Succeeded',
        containerStatuses: [{ name: 'web', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
      minimalPod,
      { deletionTimestamp: '2026-01-01T00:59:00Z' },
    ],
  ])('says %s', (word, status, spec, metadata) => {
    expect(rowOf(withStatus({ phase: 'Pending', ...status }, spec, metadata)).Status).toBe(word);
  });

  it('are of little interest when the pod is done', () => {
    const conditionsOf = (phase: string) => podKind.rowConditions?.(withStatus({ phase }));
    expect(conditionsOf('Running')).toEqual([]);
    expect(conditionsOf('Failed')).toEqual([
      { type: 'Completed', status: 'True', reason: 'Failed', message: 'The pod failed.' },
    ]);
  });
});
