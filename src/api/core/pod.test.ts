import { describe, expect, it } from 'vitest';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { computeQosClass } from './pod-qos.ts';
import { minimalPod, podErrors, podOf } from './testing.ts';

describe('pod defaults', () => {
  it('completes a minimalPod pod as Kubernetes does', () => {
    expect(podOf(minimalPod)).toMatchObject({
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
    expect(podErrors(podOf(minimalPod))).toEqual([]);
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
    expect(podErrors({ metadata: { name: 'x' }, spec } as Pod)).toEqual([]);
  });

  it('holds a gated pod back', () => {
    expect(podOf({ ...minimalPod, schedulingGates: [{ name: 'example.com/wait' }] }).status?.conditions).toMatchObject([
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
    const pod = podOf({ ...minimalPod, topologySpreadConstraints: [constraint] }, { labels: { hash: 'x' } });
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
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      ],
    ],
    [
      'a probe without handler',
      container({ livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'a probe on an init container',
      { ...minimalPod, initContainers: [{ name: 'i', image: 'x', livenessProbe: { tcpSocket: { port: 1 } } }] },
      [
        'spec.initContainers[0].livenessProbe: Forbidden: may not be set for init containers without restartPolicy=Always',
      ],
    ],
    [
      'a restart policy unheard of',
      { ...minimalPod, restartPolicy: 'Sometimes' },
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"'],
    ],
    [
      'two volume sources',
      { ...minimalPod, volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] },
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    [
      'a way out of the volume',
      { ...minimalPod, volumes: [{ name: 'v', secret: { secretName: 's', items: [{ key: 'k', path: '../x' }] } }] },
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
      { ...minimalPod, tolerations: [{ operator: 'Equal', value: 'x' }] },
      [
        'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'affinity without terms',
      {
        ...minimalPod,
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
        'spec.containers[0].securityContext: Invalid value: {"Capabilities":null,"Privileged":true,"SELinuxOptions":null,"WindowsOptions":null,"RunAsUser":null,"RunAsGroup":null,"RunAsNonRoot":null,"ReadOnlyRootFilesystem":null,"AllowPrivilegeEscalation":false,"ProcMount":null,"SeccompProfile":null,"AppArmorProfile":null}: cannot set `allowPrivilegeEscalation` to false and `privileged` to true',
      ],
    ],
  ];
  it.each(cases)('refuses %s', (_, spec, errors) => {
    expect(podErrors(podOf(spec))).toEqual(errors);
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
    expect(podErrors(pod)).toEqual([]);
  });
});

describe('pod deletion and QoS', () => {
  it('waits for what runs', () => {
    const scheduled = podOf({ ...minimalPod, nodeName: 'n1' });
    expect(podKind.gracePeriod?.(scheduled, undefined)).toBe(30);
    expect(podKind.gracePeriod?.(scheduled, 5)).toBe(5);
    expect(podKind.gracePeriod?.(scheduled, -1)).toBe(1);
    expect(podKind.gracePeriod?.(podOf(minimalPod), undefined)).toBe(0);
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
