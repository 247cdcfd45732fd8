import { describe, expect, it } from 'vitest';
import { type Draft, draft } from '../../apimachinery/json.ts';
import { applyDefaults } from '../../apimachinery/typecheck.ts';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { computeQosClass } from './pod-qos.ts';
import {
  applyEphemeralContainers,
  applyResize,
  bindPod,
  validateEphemeralContainersUpdate,
  validateResize,
} from './pod-subresources.ts';

function podOf(spec: object, metadata: object = {}): Pod {
  const pod = draft({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', namespace: 'default', ...metadata },
    spec,
  });
  applyDefaults(pod, podKind.schema);
  podKind.default?.(pod as never);
  podKind.prepareForCreate?.(pod as never);
  return pod as unknown as Pod;
}
const errorsOf = (pod: Pod) => (podKind.validate?.(pod) ?? []).map(String);
const updateErrors = (change: (pod: Draft<Pod>) => void, old: Pod) => {
  const next = draft(old);
  change(next);
  return (podKind.validateUpdate?.(next as Pod, old) ?? []).map(String);
};
const minimal = { containers: [{ name: 'web', image: 'nginx' }] };

describe('pod defaults', () => {
  it('completes a minimal pod as Kubernetes does', () => {
    expect(podOf(minimal)).toMatchObject({
      spec: {
        containers: [
          {
            name: 'web',
            image: 'nginx',
            imagePullPolicy: 'Always',
            resources: {},
            terminationMessagePath: '/dev/termination-log',
            terminationMessagePolicy: 'File',
          },
        ],
        restartPolicy: 'Always',
        dnsPolicy: 'ClusterFirst',
        schedulerName: 'default-scheduler',
        securityContext: {},
        terminationGracePeriodSeconds: 30,
        enableServiceLinks: true,
      },
      status: { phase: 'Pending', qosClass: 'BestEffort' },
    });
    expect(errorsOf(podOf(minimal))).toEqual([]);
  });

  it.each([
    ['nginx', 'Always'],
    ['nginx:latest', 'Always'],
    ['nginx:1.29', 'IfNotPresent'],
    ['localhost:5000/nginx', 'Always'],
    ['localhost:5000/nginx:1', 'IfNotPresent'],
    [`nginx@sha256:${'0'.repeat(64)}`, 'IfNotPresent'],
  ])('pulls %s by policy %s', (image, policy) => {
    expect(podOf({ containers: [{ name: 'c', image }] }).spec.containers[0]?.imagePullPolicy).toBe(policy);
  });

  it('fills in probes, ports, env, volumes and requests', () => {
    const { spec, status } = podOf({
      serviceAccount: 'builder',
      hostNetwork: true,
      containers: [
        {
          name: 'web',
          image: 'nginx:1',
          ports: [{ containerPort: 80 }],
          env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }],
          resources: { limits: { cpu: '0.5', memory: '64Mi' }, requests: { cpu: '100m' } },
          readinessProbe: { httpGet: { port: 80 } },
        },
      ],
      volumes: [
        { name: 'a' },
        { name: 'b', configMap: { name: 'c' } },
        { name: 'c', projected: { sources: [{ serviceAccountToken: { path: 'token' } }] } },
        { name: 'd', hostPath: { path: '/tmp' } },
      ],
    });
    const container = spec.containers[0]!;
    expect(spec.serviceAccountName).toBe('builder');
    expect(container.ports).toEqual([{ containerPort: 80, hostPort: 80, protocol: 'TCP' }]);
    expect(container.env?.[0]?.valueFrom?.fieldRef).toEqual({ apiVersion: 'v1', fieldPath: 'status.podIP' });
    expect(container.resources).toEqual({
      limits: { cpu: '500m', memory: '64Mi' },
      requests: { cpu: '100m', memory: '64Mi' },
    });
    expect(container.readinessProbe).toEqual({
      httpGet: { path: '/', port: 80, scheme: 'HTTP' },
      timeoutSeconds: 1,
      periodSeconds: 10,
      successThreshold: 1,
      failureThreshold: 3,
    });
    expect(spec.volumes).toEqual([
      { name: 'a', emptyDir: {} },
      { name: 'b', configMap: { name: 'c', defaultMode: 420 } },
      {
        name: 'c',
        projected: { sources: [{ serviceAccountToken: { path: 'token', expirationSeconds: 3600 } }], defaultMode: 420 },
      },
      { name: 'd', hostPath: { path: '/tmp', type: '' } },
    ]);
    expect(status?.qosClass).toBe('Burstable');
    expect(errorsOf({ spec } as Pod)).toEqual([]);
  });

  it('holds a gated pod back', () => {
    expect(podOf({ ...minimal, schedulingGates: [{ name: 'example.com/wait' }] }).status?.conditions).toMatchObject([
      { type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' },
    ]);
  });

  it('turns matchLabelKeys into the selector that the pod was created with', () => {
    const constraint = {
      maxSkew: 1,
      topologyKey: 'zone',
      whenUnsatisfiable: 'DoNotSchedule',
      labelSelector: {},
      matchLabelKeys: ['hash'],
    };
    const pod = podOf({ ...minimal, topologySpreadConstraints: [constraint] }, { labels: { hash: 'x' } });
    expect(pod.spec.topologySpreadConstraints?.[0]?.labelSelector).toEqual({
      matchExpressions: [{ key: 'hash', operator: 'In', values: ['x'] }],
    });
  });
});

describe('pod validation', () => {
  const container = (more: object) => ({ containers: [{ name: 'web', image: 'nginx', ...more }] });
  const cases: readonly (readonly [name: string, spec: object, errors: readonly string[]])[] = [
    ['no containers', { containers: [] }, ['spec.containers: Required value']],
    ['no image', { containers: [{ name: 'a' }] }, ['spec.containers[0].image: Required value']],
    [
      'a bad name',
      { containers: [{ name: 'A', image: 'x' }] },
      [
        `spec.containers[0].name: Invalid value: "A": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')`,
      ],
    ],
    [
      'names twice',
      { containers: [{ name: 'a', image: 'x' }], initContainers: [{ name: 'a', image: 'x' }] },
      ['spec.initContainers[0].name: Duplicate value: "a"'],
    ],
    ['no container port', container({ ports: [{}] }), ['spec.containers[0].ports[0].containerPort: Required value']],
    [
      'a port out of range',
      container({ ports: [{ containerPort: 70000, protocol: 'tcp' }] }),
      [
        'spec.containers[0].ports[0].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive',
        'spec.containers[0].ports[0].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
      ],
    ],
    [
      'a mount of nothing',
      container({ volumeMounts: [{ name: 'data', mountPath: '/data' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "data"'],
    ],
    [
      'a request above its limit',
      container({ resources: { limits: { cpu: '1' }, requests: { cpu: '2' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1'],
    ],
    [
      'an unknown resource',
      container({ resources: { limits: { gpu: '1' } } }),
      [
        'spec.containers[0].resources.limits: Invalid value: "gpu": must be a standard resource for containers',
        'spec.containers[0].resources.requests: Invalid value: "gpu": must be a standard resource for containers',
      ],
    ],
    [
      'a probe without handler',
      container({ livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a probe on an init container',
      { ...minimal, initContainers: [{ name: 'i', image: 'x', livenessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'a restart policy unheard of',
      { ...minimal, restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ],
    [
      'two volume sources',
      { ...minimal, volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a way out of the volume',
      { ...minimal, volumes: [{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: '../x' }] } }] },
      [`spec.volumes[0].secret.items[0].path: Invalid value: "../x": must not contain '..'`],
    ],
    [
      'env from a field that is not offered',
      container({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.foo' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "metadata.foo": error converting fieldPath: field label not supported: metadata.foo',
      ],
    ],
    [
      'a toleration of everything with a value',
      { ...minimal, tolerations: [{ operator: 'Equal', value: 'x' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'affinity without terms',
      {
        ...minimal,
        affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } },
      },
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      'privilege without escalation',
      container({ securityContext: { privileged: true, allowPrivilegeEscalation: false } }),
      [
        'spec.containers[0].securityContext: Invalid value: {"privileged":true,"allowPrivilegeEscalation":false}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
  ];
  it.each(cases)('refuses %s', (_, spec, errors) => {
    expect(errorsOf(podOf(spec))).toEqual(errors);
  });

  it('accepts a pod that uses much of the API', () => {
    const pod = podOf({
      initContainers: [
        { name: 'init', image: 'busybox', command: ['true'] },
        { name: 'proxy', image: 'envoy:1', restartPolicy: 'Always', readinessProbe: { tcpSocket: { port: 'admin' } } },
      ],
      containers: [
        {
          name: 'web',
          image: 'nginx:1',
          ports: [{ name: 'http', containerPort: 80 }],
          env: [
            { name: 'A', value: 'b' },
            { name: 'L', valueFrom: { fieldRef: { fieldPath: "metadata.labels['app']" } } },
            { name: 'C', valueFrom: { resourceFieldRef: { resource: 'limits.cpu', divisor: '1m' } } },
            { name: 'S', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } },
          ],
          envFrom: [{ prefix: 'X_', configMapRef: { name: 'c' } }],
          resources: { limits: { cpu: '1', 'example.com/gpu': '2' } },
          livenessProbe: { httpGet: { path: '/', port: 'http' } },
          lifecycle: { preStop: { exec: { command: ['sh'] } }, postStart: { sleep: { seconds: 1 } } },
          securityContext: {
            runAsUser: 1000,
            capabilities: { drop: ['ALL'] },
            seccompProfile: { type: 'RuntimeDefault' },
          },
          volumeMounts: [{ name: 'info', mountPath: '/info', readOnly: true, recursiveReadOnly: 'IfPossible' }],
        },
      ],
      volumes: [
        {
          name: 'info',
          downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] },
        },
        {
          name: 'scratch',
          ephemeral: {
            volumeClaimTemplate: {
              spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
            },
          },
        },
      ],
      affinity: {
        podAntiAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            {
              weight: 1,
              podAffinityTerm: { topologyKey: 'kubernetes.io/hostname', labelSelector: { matchLabels: { app: 'x' } } },
            },
          ],
        },
      },
      tolerations: [
        { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      ],
      topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'ScheduleAnyway' }],
      dnsConfig: { options: [{ name: 'ndots', value: '2' }] },
      hostAliases: [{ ip: '10.0.0.1', hostnames: ['db'] }],
      securityContext: { fsGroup: 2000, sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] },
    });
    expect(errorsOf(pod)).toEqual([]);
  });
});

describe('pod updates', () => {
  const old = podOf({ ...minimal, tolerations: [{ key: 'a', operator: 'Exists' }], activeDeadlineSeconds: 10 });

  it('allows images, more tolerations and a shorter deadline', () => {
    const errors = updateErrors((pod) => {
      pod.spec.containers[0]!.image = 'nginx:2';
      pod.spec.tolerations?.push({ key: 'b', operator: 'Exists' });
      pod.spec.activeDeadlineSeconds = 5;
    }, old);
    expect(errors).toEqual([]);
  });

  it('refuses all else in the words that clients look for', () => {
    const [error, ...more] = updateErrors((pod) => {
      pod.spec.nodeSelector = { a: 'b' };
    }, old);
    expect(more).toEqual([]);
    expect(error).toContain(
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n',
    );
    expect(updateErrors((pod) => pod.spec.containers.pop(), old)).toEqual([
      'spec.containers: Forbidden: pod updates may not add or remove containers',
    ]);
    expect(updateErrors((pod) => void delete pod.spec.tolerations, old)).toEqual([
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
      return validateResize(applyResize(requested as Pod, limited) as Pod, limited, requested as Pod).map(String);
    };
    expect(resize({ requests: { cpu: '1500m' }, limits: { cpu: '2' } })).toEqual([]);
    expect(resize({ requests: { cpu: '1' }, limits: { cpu: '2', 'ephemeral-storage': '1Gi' } })).toEqual([
      'spec: Forbidden: only cpu and memory resources are mutable',
    ]);
    expect(resize({})).toContain(
      'spec: Invalid value: "BestEffort": Pod QOS Class may not change as a result of resizing',
    );
  });

  it('binds a pod once', () => {
    const pod = draft(podOf(minimal));
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

describe('pod deletion and QoS', () => {
  it('waits for what runs', () => {
    const scheduled = podOf({ ...minimal, nodeName: 'n1' });
    expect(podKind.gracePeriod?.(scheduled, undefined)).toBe(30);
    expect(podKind.gracePeriod?.(scheduled, 5)).toBe(5);
    expect(podKind.gracePeriod?.(scheduled, -1)).toBe(1);
    expect(podKind.gracePeriod?.(podOf(minimal), undefined)).toBe(0);
    expect(podKind.gracePeriod?.({ ...scheduled, status: { phase: 'Succeeded' } }, undefined)).toBe(0);
  });

  it('classes pods', () => {
    const of = (resources: object) => computeQosClass({ containers: [{ name: 'c', resources }] });
    expect(of({})).toBe('BestEffort');
    expect(of({ requests: { cpu: '1' } })).toBe('Burstable');
    const both = { cpu: '1', memory: '1Gi' };
    expect(of({ requests: both, limits: { cpu: '1000m', memory: '1024Mi' } })).toBe('Guaranteed');
    expect(of({ requests: { 'example.com/gpu': '1' } })).toBe('BestEffort');
  });
});

describe('pod columns', () => {
  const now = Date.parse('2026-01-01T01:00:00Z');
  const created = { creationTimestamp: '2026-01-01T00:00:00Z' };
  const rowOf = (pod: Pod) => Object.fromEntries(podKind.columns.map(({ name, value }) => [name, value(pod, now)]));
  const withStatus = (status: object, spec: object = minimal, metadata: object = {}) =>
    ({ ...podOf(spec, { ...created, ...metadata }), status }) as Pod;
  const running = { name: 'web', ready: true, restartCount: 0, image: '', imageID: '', state: { running: {} } };

  it('prints a running pod', () => {
    const pod = withStatus(
      { phase: 'Running', podIPs: [{ ip: '10.0.0.5' }], containerStatuses: [running] },
      { ...minimal, nodeName: 'n1', readinessGates: [{ conditionType: 'example.com/x' }] },
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
    ...minimal,
  };
  const done = { name: 'a', state: { terminated: { exitCode: 0 } } };
  it.each([
    ['Pending', {}, minimal, {}],
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
      minimal,
      {},
    ],
    ['Evicted', { phase: 'Failed', reason: 'Evicted' }, minimal, {}],
    [
      'Terminating',
      { phase: 'Running', containerStatuses: [running] },
      minimal,
      { deletionTimestamp: '2026-01-01T00:59:00Z' },
    ],
    [
      'Completed',
      {
        phase: 'Succeeded',
        containerStatuses: [{ name: 'web', state: { terminated: { exitCode: 0, reason: 'Completed' } } }],
      },
      minimal,
      { deletionTimestamp: '2026-01-01T00:59:00Z' },
    ],
  ])('says %s', (word, status, spec, metadata) => {
    expect(rowOf(withStatus({ phase: 'Pending', ...status }, spec, metadata)).Status).toBe(word);
  });
});
