import { describe, expect, it } from 'vitest';
import type { Container, ContainerStatus, Pod } from '../../api/types/core.v1.gen.ts';
import { containerHash } from '../containers/container-labels.ts';
import type { ContainerState, RuntimeContainerStatus } from '../runtime/container-runtime.ts';
import { podActions } from './pod-actions.ts';
import { podConditions } from './pod-conditions.ts';
import { podPhase } from './pod-phase.ts';
import { grantedBefore, resizeMessage, sameResources } from './resize.ts';
import { createRestartBackoff } from './restart-backoff.ts';
import type { RuntimePod } from './runtime-pod.ts';

const pod = (spec: Partial<Pod['spec']> = {}): Pod => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', namespace: 'd', uid: 'u' },
  spec: { containers: [{ name: 'a', image: 'x' }], ...spec },
});

function ran(
  name: string,
  state: ContainerState,
  exitCode = 0,
  more: Partial<RuntimeContainerStatus> = {},
): RuntimeContainerStatus {
  return {
    id: `id-${name}`,
    sandboxId: 's0',
    name,
    attempt: 0,
    image: 'x',
    imageRef: 'x',
    imageId: 'x',
    state,
    createdAt: 1,
    labels: {},
    startedAt: 1,
    finishedAt: 2,
    exitCode,
    annotations: { 'io.kubernetes.container.hash': containerHash({ name, image: 'x' }) },
    reason: '',
    message: '',
    logPath: '',
    mounts: [],
    ...more,
  };
}
const sandbox = {
  id: 's0',
  metadata: { name: 'p', namespace: 'd', uid: 'u', attempt: 0 },
  state: 'ready',
  createdAt: 1,
  labels: {},
  annotations: {},
  runtimeHandler: '',
  ips: ['10.0.0.1'],
} as const;
const running = (...containers: RuntimeContainerStatus[]): RuntimePod => ({
  uid: 'u',
  name: 'p',
  namespace: 'd',
  sandboxes: [sandbox],
  containers,
});
const quiet = { liveness: () => undefined, startup: () => undefined };
const names = (containers: readonly Container[]) => containers.map(({ name }) => name);

describe('podActions', () => {
  it('starts a sandbox and the first init container, or all main ones', () => {
    const empty: RuntimePod = { uid: 'u', name: 'p', namespace: 'd', sandboxes: [], containers: [] };
    expect(podActions(pod(), empty, quiet)).toMatchObject({ createSandbox: true, attempt: 0, start: [{ name: 'a' }] });
    expect(podActions(pod({ initContainers: [{ name: 'i' }, { name: 'j' }] }), empty, quiet)).toMatchObject({
      createSandbox: true,
      startInit: [{ name: 'i' }],
      start: [],
    });
  });

  it('makes a new sandbox when the old one died, but never runs a pod twice that must not restart', () => {
    const dead: RuntimePod = { ...running(ran('a', 'exited', 1)), sandboxes: [{ ...sandbox, state: 'notReady' }] };
    expect(podActions(pod({ restartPolicy: 'Always' }), dead, quiet)).toMatchObject({
      killPod: true,
      createSandbox: true,
      attempt: 1,
      start: [{ name: 'a' }],
    });
    expect(podActions(pod({ restartPolicy: 'Never' }), dead, quiet)).toMatchObject({
      killPod: true,
      createSandbox: false,
      start: [],
    });
    const done: RuntimePod = { ...dead, containers: [ran('a', 'exited', 0)] };
    expect(podActions(pod({ restartPolicy: 'OnFailure' }), done, quiet)).toMatchObject({
      createSandbox: false,
      start: [],
    });
  });

  it('restarts by policy and exit code', () => {
    const restarts = (restartPolicy: string, exitCode: number) =>
      podActions(pod({ restartPolicy }), running(ran('a', 'exited', exitCode)), quiet).start.length > 0;
    expect([restarts('Always', 0), restarts('OnFailure', 0), restarts('OnFailure', 1), restarts('Never', 1)]).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(podActions(pod({ restartPolicy: 'Never' }), running(ran('a', 'exited', 1)), quiet).killPod).toBe(true);
    const rule = {
      name: 'a',
      image: 'x',
      restartPolicy: 'Never',
      restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [42] } }],
    };
    expect(
      names(
        podActions(pod({ containers: [rule], restartPolicy: 'Never' }), running(ran('a', 'exited', 42)), quiet).start,
      ),
    ).toEqual(['a']);
  });

  it('replaces a container whose probe failed or whose image changed', () => {
    const failed = podActions(pod(), running(ran('a', 'running')), {
      liveness: () => 'failure',
      startup: () => undefined,
    });
    expect(failed.kill).toMatchObject([
      { reason: 'LivenessProbe', message: 'Container a failed liveness probe, will be restarted' },
    ]);
    expect(names(failed.start)).toEqual(['a']);
    const changed = podActions(
      pod({ containers: [{ name: 'a', image: 'y' }], restartPolicy: 'Never' }),
      running(ran('a', 'running')),
      quiet,
    );
    expect(changed.kill).toMatchObject([
      { reason: 'Changed', message: 'Container a definition changed, will be restarted' },
    ]);
    expect(names(changed.start)).toEqual(['a']);
  });

  describe('with init containers', () => {
    const inits = pod({
      initContainers: [
        { name: 'i', image: 'x' },
        { name: 's', image: 'x', restartPolicy: 'Always', startupProbe: {} },
        { name: 'j', image: 'x' },
      ],
      restartPolicy: 'Never',
    });
    it('goes from one to the next', () => {
      expect(podActions(inits, running(ran('i', 'running')), quiet)).toMatchObject({
        startInit: [],
        start: [],
        killPod: false,
      });
      expect(names(podActions(inits, running(ran('i', 'exited')), quiet).startInit)).toEqual(['s']);
      expect(names(podActions(inits, running(ran('s', 'running'), ran('i', 'exited')), quiet).startInit)).toEqual([]);
      expect(
        names(
          podActions(inits, running(ran('s', 'running'), ran('i', 'exited')), { ...quiet, startup: () => 'success' })
            .startInit,
        ),
      ).toEqual(['j']);
      expect(
        podActions(inits, running(ran('j', 'exited'), ran('s', 'running'), ran('i', 'exited')), quiet),
      ).toMatchObject({ startInit: [], start: [{ name: 'a' }] });
    });
    it('fails the pod when one fails for good, and starts over in a new sandbox', () => {
      expect(podActions(inits, running(ran('i', 'exited', 1)), quiet)).toMatchObject({ killPod: true, startInit: [] });
      const old = { sandboxId: 'older' };
      expect(
        names(
          podActions(
            { ...inits, spec: { ...inits.spec, restartPolicy: 'Always' } },
            running(ran('a', 'exited', 0, old), ran('j', 'exited', 0, old), ran('i', 'exited', 0, old)),
            quiet,
          ).startInit,
        ),
      ).toEqual(['i']);
    });
    it('keeps a sidecar running while the pod runs, and does not run the others again', () => {
      const actions = podActions(inits, running(ran('a', 'running'), ran('s', 'exited', 1)), quiet);
      expect(names(actions.startInit)).toEqual(['s']);
      expect(actions.killPod).toBe(false);
      expect(podActions(inits, running(ran('a', 'exited'), ran('s', 'running')), quiet)).toMatchObject({
        killPod: true,
        startInit: [],
      });
    });
  });
});

const status = (
  name: string,
  state: ContainerStatus['state'],
  more: Partial<ContainerStatus> = {},
): ContainerStatus => ({ name, image: '', imageID: '', ready: false, restartCount: 0, state, ...more });
const ended = (exitCode: number) => ({ terminated: { exitCode } });
const on = { running: {} };
const waiting = { waiting: { reason: 'ContainerCreating' } };

describe('podPhase', () => {
  const two = (restartPolicy: string) => pod({ restartPolicy, containers: [{ name: 'a' }, { name: 'b' }] });
  it.each([
    ['Always', on, waiting, 'Pending'],
    ['Always', on, ended(1), 'Running'],
    ['Always', ended(0), ended(0), 'Running'],
    ['OnFailure', ended(0), ended(0), 'Succeeded'],
    ['OnFailure', ended(0), ended(1), 'Running'],
    ['Never', ended(0), ended(1), 'Failed'],
    ['Never', ended(0), ended(0), 'Succeeded'],
  ] as const)('%s, %j, %j: %s', (policy, a, b, phase) => {
    expect(podPhase(two(policy), [], [status('a', a), status('b', b)], false)).toBe(phase);
  });
  it('is over when nothing starts any more', () => {
    expect(podPhase(two('Always'), [], [status('a', ended(0)), status('b', ended(0))], true)).toBe('Succeeded');
    expect(podPhase(two('Always'), [], [status('a', ended(0)), status('b', ended(1))], true)).toBe('Failed');
  });
  it('waits for init containers and fails with them', () => {
    const one = pod({ restartPolicy: 'Never', initContainers: [{ name: 'i' }] });
    expect(podPhase(one, [status('i', on)], [status('a', waiting)], false)).toBe('Pending');
    expect(podPhase(one, [status('i', ended(1))], [status('a', waiting)], false)).toBe('Failed');
  });
});

describe('podConditions', () => {
  const of = (p: Pod, phase: string, mains: ContainerStatus[], inits: ContainerStatus[] = []) =>
    Object.fromEntries(
      podConditions({ pod: p, phase, mains, inits, existing: p.status?.conditions ?? [], sandboxReady: true }).map(
        (condition) => [condition.type, condition],
      ),
    );
  it('names the containers that are not ready', () => {
    expect(of(pod(), 'Running', [status('a', on)]).Ready).toMatchObject({
      status: 'False',
      reason: 'ContainersNotReady',
      message: 'containers with unready status: [a]',
    });
    expect(of(pod(), 'Running', [status('a', on, { ready: true })]).Ready).toEqual({ type: 'Ready', status: 'True' });
    expect(of(pod(), 'Succeeded', [status('a', ended(0))])).toMatchObject({
      Ready: { reason: 'PodCompleted' },
      Initialized: { status: 'True', reason: 'PodCompleted' },
    });
  });
  it('waits for readiness gates', () => {
    const gated: Pod = { ...pod({ readinessGates: [{ conditionType: 'x/ok' }] }) };
    expect(of(gated, 'Running', [status('a', on, { ready: true })]).Ready).toMatchObject({
      status: 'False',
      reason: 'ReadinessGatesNotReady',
      message: 'corresponding condition of pod readiness gate "x/ok" does not exist.',
    });
    const open: Pod = { ...gated, status: { conditions: [{ type: 'x/ok', status: 'True' }] } };
    expect(of(open, 'Running', [status('a', on, { ready: true })]).Ready?.status).toBe('True');
  });
  it('tells which init containers are not done', () => {
    const one = pod({ initContainers: [{ name: 'i' }, { name: 'j' }] });
    expect(
      of(one, 'Pending', [status('a', waiting)], [status('i', ended(0), { ready: true }), status('j', on)]).Initialized,
    ).toMatchObject({
      status: 'False',
      reason: 'ContainersNotInitialized',
      message: 'containers with incomplete status: [j]',
    });
  });
});

describe('createRestartBackoff', () => {
  it('doubles to the limit, and starts over after a quiet time', () => {
    let now = 1_000_000;
    const backoff = createRestartBackoff({ firstMs: 10_000, lastMs: 300_000, now: () => now });
    expect(backoff.waitUntil('c', now)).toBeUndefined();
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      backoff.next('c', now);
      now += 1000;
      const end = backoff.waitUntil('c', now)!;
      waits.push(end - now);
      now = end;
      expect(backoff.waitUntil('c', now - backoff.delay('c'))).toBeUndefined();
    }
    expect(waits).toEqual([10, 20, 40, 80, 160, 300, 300].map((seconds) => seconds * 1000));
    now += 700_000;
    expect(backoff.waitUntil('c', now)).toBeUndefined();
    backoff.next('c', now);
    expect(backoff.delay('c')).toBe(10_000);
  });
});

describe('a resize', () => {
  const asking = (cpu: string) => pod({ containers: [{ name: 'a', image: 'x', resources: { requests: { cpu } } }] });

  it('is still wanted after a restart of the kubelet, from what the status tells', () => {
    const granted = {
      name: 'a',
      resources: { requests: { cpu: '1' } },
      image: 'x',
      imageID: 'x',
      ready: true,
      restartCount: 0,
    };
    const before = grantedBefore({ ...asking('2'), status: { containerStatuses: [granted] } });
    expect(before?.spec.containers[0]?.resources).toEqual({ requests: { cpu: '1' } });
    expect(sameResources(before as Pod, asking('2'))).toBe(false);
    expect(sameResources(before as Pod, asking('1000m'))).toBe(true);
    expect(grantedBefore(asking('2'))).toBeUndefined();
  });

  it('is told of in events with all that the pod asks for', () => {
    expect(resizeMessage('Pod resize Deferred', asking('2'), 'too much')).toBe(
      'Pod resize Deferred: {"containers":[{"name":"a","resources":{"requests":{"cpu":"2"}}}],"generation":0,"error":"too much"}',
    );
  });
});
