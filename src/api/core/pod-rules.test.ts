import { describe, expect, it } from 'vitest';
import { draft } from '../../apimachinery/json.ts';
import type { Pod } from '../types/core.v1.gen.ts';
import { pod as podKind } from './pod.ts';
import { validateResize } from './pod-resize.ts';
import { applyResize } from './pod-subresources.ts';
import { type Loose, podErrors, podOf, podUpdateErrors } from './testing.ts';

const container = (fields: object) => ({ containers: [{ name: 'web', image: 'nginx', ...fields }] });
const web = container({});
const volume = (source: object) => ({ ...web, volumes: [{ name: 'v', ...source }] });

describe('rules of pod specs', () => {
  const table: readonly (readonly [string, object, ...string[]])[] = [
    [
      'huge pages come whole and with cpu or memory',
      container({ resources: { limits: { 'hugepages-2Mi': '3Mi' } } }),
      'spec.containers[0].resources.limits[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
      'spec.containers[0].resources.requests[hugepages-2Mi]: Invalid value: "3Mi": 3Mi is not positive integer multiple of hugepages-2Mi',
      'spec.containers[0].resources: Forbidden: HugePages require cpu or memory',
    ],
    [
      'a claim that the pod does not have',
      container({ resources: { claims: [{ name: 'gpu' }] } }),
      'spec.containers[0].resources.claims[0]: Not found: "gpu": must be one of the names in pod.spec.resourceClaims which is empty',
    ],
    [
      'restart rules without a policy',
      container({ restartPolicyRules: [{ action: 'Sleep' }] }),
      'spec.containers[0].restartPolicy: Required value: must specify restartPolicy when restart rules are used',
      'spec.containers[0].restartPolicyRules[0].action: Unsupported value: "Sleep": supported values: "Restart", "RestartAllContainers"',
      'spec.containers[0].restartPolicyRules[0].exitCodes: Required value: must be specified',
    ],
    [
      'an image with space around it',
      container({ image: ' nginx' }),
      'spec.containers[0].image: Invalid value: " nginx": must not have leading or trailing whitespace',
    ],
    [
      'user namespaces beside those of the host',
      { ...web, hostUsers: false, hostPID: true },
      'spec.HostPID: Forbidden: when `hostUsers` is false',
    ],
    [
      'one process namespace for the pod and for the host',
      { ...web, shareProcessNamespace: true, hostPID: true },
      'spec.securityContext.shareProcessNamespace: Invalid value: true: ShareProcessNamespace and HostPID cannot both be enabled',
    ],
    [
      'Linux fields in a Windows pod',
      { ...container({ securityContext: { runAsUser: 1 } }), os: { name: 'windows' }, hostPID: true },
      'spec.hostPID: Forbidden: cannot be set for a windows pod',
      'spec.containers[0].securityContext.runAsUser: Forbidden: cannot be set for a windows pod',
    ],
    [
      'a token without an account',
      volume({ projected: { sources: [{ serviceAccountToken: { path: 't' } }] } }),
      'spec.volumes[0].projected.sources[0].serviceAccountToken: Forbidden: must not be specified when serviceAccountName is not set',
    ],
    [
      'spread twice over one key',
      {
        ...web,
        topologySpreadConstraints: [1, 2].map(() => ({
          maxSkew: 1,
          topologyKey: 'zone',
          whenUnsatisfiable: 'DoNotSchedule',
        })),
      },
      'spec.topologySpreadConstraints[0].{topologyKey, whenUnsatisfiable}: Duplicate value: "{zone, DoNotSchedule}"',
    ],
    [
      'a claim of no kind',
      { ...web, resourceClaims: [{ name: 'a' }] },
      'spec.resourceClaims[0]: Invalid value: {"Name":"a","ResourceClaimName":null,"ResourceClaimTemplateName":null}: must specify one of: `resourceClaimName`, `resourceClaimTemplateName`',
    ],
    [
      'less for the pod than its containers ask for',
      { ...container({ resources: { requests: { cpu: '2' } } }), resources: { requests: { cpu: '1' } } },
      'spec.resources.requests[cpu]: Invalid value: "1": must be greater than or equal to aggregate container requests of 2',
    ],
  ];
  it.each(table.map(([name, spec, ...errors]) => ({ name, spec, errors })))('refuse $name', ({ spec, errors }) => {
    expect(podErrors(podOf(spec))).toEqual(errors);
  });

  it('hold annotations to what they mean', () => {
    const errorsWith = (annotations: object, spec: object = web) => podErrors(podOf(spec, { annotations }));
    expect(errorsWith({ 'kubernetes.io/config.mirror': 'x' })).toEqual([
      'metadata.annotations[kubernetes.io/config.mirror]: Invalid value: "x": must set spec.nodeName if mirror pod annotation is set',
    ]);
    expect(errorsWith({ 'controller.kubernetes.io/pod-deletion-cost': '+1' })).toEqual([
      'metadata.annotations[controller.kubernetes.io/pod-deletion-cost]: Invalid value: "+1": must be a 32bit integer',
    ]);
  });

  it('take an AppArmor profile from its old annotation', () => {
    const key = 'container.apparmor.security.beta.kubernetes.io/web';
    const confined = podOf(web, { annotations: { [key]: 'localhost/strict' } });
    expect(confined.spec.containers[0]?.securityContext?.appArmorProfile).toEqual({
      type: 'Localhost',
      localhostProfile: 'strict',
    });
    expect(podErrors(confined)).toEqual([]);
    expect(podKind.warnings?.(confined)).toEqual([
      `metadata.annotations[${key}]: deprecated since v1.30; use the "appArmorProfile" field instead`,
    ]);
  });

  it('fill in what pod-level resources leave open', () => {
    const { spec } = podOf({
      ...container({ resources: { requests: { cpu: '1' }, limits: { memory: '1Gi', 'hugepages-2Mi': '4Mi' } } }),
      resources: { limits: { cpu: '2', memory: '2Gi' } },
    });
    expect(spec.resources).toEqual({
      limits: { cpu: '2', memory: '2Gi', 'hugepages-2Mi': '4Mi' },
      requests: { cpu: '1', memory: '1Gi', 'hugepages-2Mi': '4Mi' },
    });
  });
});

describe('updates of pods', () => {
  const gated = podOf({
    ...web,
    schedulingGates: [{ name: 'g' }],
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchExpressions: [{ key: 'a', operator: 'Exists' }] }],
        },
      },
    },
  });
  const terms = (pod: Loose) =>
    pod.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms;

  it('show what changed', () => {
    const [error] = podUpdateErrors((pod) => {
      pod.spec.hostNetwork = true;
    }, podOf(web));
    expect(error).toMatch(
      /^spec: Forbidden: pod updates may not change fields other than `spec\.containers\[\*\]\.image`,/,
    );
    expect(error).toContain('\n-    "HostNetwork": false,\n+    "HostNetwork": true,\n');
  });

  it('make gated pods choosier, and nothing else of them', () => {
    const errorsAfter = (change: (pod: Loose) => void) => podUpdateErrors(change, gated);
    expect(errorsAfter((pod) => terms(pod)[0].matchExpressions.push({ key: 'b', operator: 'Exists' }))).toEqual([]);
    expect(errorsAfter((pod) => terms(pod)[0].matchExpressions.unshift({ key: 'b', operator: 'Exists' }))).toEqual([
      expect.stringMatching(
        /nodeSelectorTerms\[0\]: Invalid value: \{"MatchExpressions":.*: only additions are allowed \(no mutations or deletions\)$/,
      ),
    ]);
    expect(errorsAfter((pod) => terms(pod).push({}))).toEqual([
      expect.stringMatching(/no additions\/deletions to non-empty NodeSelectorTerms list are allowed$/),
    ]);
    expect(errorsAfter((pod) => pod.spec.schedulingGates.push({ name: 'h' }))).toEqual([
      "spec.schedulingGates[1].name: Forbidden: only deletion is allowed, but found new scheduling gate 'h'",
    ]);
  });

  const ended = { name: 'web', state: { terminated: { exitCode: 3 } } };
  const statusErrors = (spec: object, before: object, now: object) => {
    const old = { ...podOf(spec), status: before } as Pod;
    const next = { ...draft(old), status: now } as Pod;
    return (podKind.subresources.status?.validateUpdate?.(next, old) ?? []).map(String);
  };
  const statuses: readonly (readonly [string, object, object, object, ...string[]])[] = [
    [
      'an ended container stays ended',
      { ...web, restartPolicy: 'Never' },
      { containerStatuses: [ended] },
      { containerStatuses: [{ name: 'web', state: { running: {} } }] },
      'status.containerStatuses[0].state: Forbidden: may not be transitioned to non-terminated state',
    ],
    [
      'unless a rule restarts it',
      {
        ...container({
          restartPolicy: 'Never',
          restartPolicyRules: [{ action: 'Restart', exitCodes: { operator: 'In', values: [3] } }],
        }),
        restartPolicy: 'Never',
      },
      { containerStatuses: [ended] },
      { containerStatuses: [{ name: 'web', state: { running: {} } }] },
    ],
    [
      'the class stays',
      web,
      { qosClass: 'Burstable' },
      { qosClass: 'Guaranteed' },
      'status.qosClass: Invalid value: "Guaranteed": field is immutable',
    ],
    [
      'addresses are one of each family',
      web,
      {},
      { hostIP: '10.0.0.1', hostIPs: [{ ip: '10.0.0.2' }], podIPs: [{ ip: '10.0.0.01' }, { ip: '10.0.0.1' }] },
      'status.podIPs[0]: Invalid value: "10.0.0.01": must not have leading 0s',
      'status.podIPs: Invalid value: [{"IP":"10.0.0.01"},{"IP":"10.0.0.1"}]: may specify no more than one IP for each IP family',
      'status.hostIPs[0].ip: Invalid value: "10.0.0.2": must be equal to `hostIP`',
    ],
    [
      'a bound pod is not nominated',
      { ...web, nodeName: 'a' },
      {},
      { nominatedNodeName: 'b', conditions: [{ type: 'x/', status: 'True', observedGeneration: -1 }] },
      'status.conditions[0].observedGeneration: Invalid value: -1: must be a non-negative integer',
      'status.conditions[0].Type: Invalid value: "x/": name part must be non-empty',
      expect.stringMatching(/^status.conditions\[0\].Type: Invalid value: "x\/": name part must consist of/) as string,
      'status.nominatedNodeName: Forbidden: may not be set on pods that are already bound to a node',
    ],
    [
      'claims are those of the spec',
      web,
      {},
      { resourceClaimStatuses: [{ name: 'a' }] },
      'status.resourceClaimStatuses[0].name: Invalid value: "a": must match the name of an entry in `spec.resourceClaims`',
    ],
  ];
  it.each(statuses.map(([name, spec, before, now, ...errors]) => ({ name, spec, before, now, errors })))(
    'of the status: $name',
    ({ spec, before, now, errors }) => {
      expect(statusErrors(spec, before, now)).toEqual(errors);
    },
  );

  const resizes: readonly (readonly [string, (pod: Loose) => unknown, ...string[]])[] = [
    ['cpu', (pod: Loose) => (pod.spec.containers[0].resources.requests.cpu = '500m')],
    [
      'an image',
      (pod: Loose) => (pod.spec.containers[0].name = 'other'),
      'spec.containers[0].name: Forbidden: containers may not be renamed or reordered on resize',
    ],
    [
      'a request away',
      (pod: Loose) => delete pod.spec.containers[0].resources.requests.memory,
      'spec.containers[0].resources.requests: Forbidden: resource requests cannot be removed',
    ],
    [
      'storage',
      (pod: Loose) => (pod.spec.containers[0].resources.requests['ephemeral-storage'] = '1Gi'),
      'spec: Forbidden: only cpu and memory resources are mutable',
    ],
    [
      'the pod',
      (pod: Loose) =>
        (pod.spec.resources = { requests: { cpu: '1', 'hugepages-2Mi': '2Mi' }, limits: { 'hugepages-2Mi': '2Mi' } }),
      'spec: Forbidden: only cpu and memory resources are mutable at pod-level',
    ],
  ];
  it.each(resizes.map(([name, change, ...errors]) => ({ name, change, errors })))(
    'resize $name',
    ({ change, errors }) => {
      const old = podOf(container({ resources: { requests: { cpu: '1', memory: '1Mi' } } }));
      const requested = draft(old);
      change(requested);
      expect(validateResize(applyResize(requested as Pod, old) as Pod, old).map(String)).toEqual(errors);
    },
  );
});

describe('warnings about pods', () => {
  const selector = { matchLabels: { a: 'b' } };
  const table: readonly (readonly [object, ...string[]])[] = [
    [
      { nodeSelector: { 'beta.kubernetes.io/os': 'linux' } },
      'spec.nodeSelector[beta.kubernetes.io/os]: deprecated since v1.14; use "kubernetes.io/os" instead',
    ],
    [
      { topologySpreadConstraints: [{ maxSkew: 1, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] },
      'spec.topologySpreadConstraints[0].labelSelector: a null labelSelector results in matching no pod',
    ],
    [
      {
        affinity: {
          podAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: [
              { topologyKey: 'a', labelSelector: selector },
              { topologyKey: 'a' },
            ],
          },
        },
      },
      'spec.affinity.podAffinity.requiredDuringSchedulingIgnoredDuringExecution[1].labelSelector: a null labelSelector results in matching no pod',
    ],
    [{ imagePullSecrets: [{ name: 'a' }, { name: 'a' }] }, 'spec.imagePullSecrets[1].name: duplicate name "a"'],
    [
      container({ resources: { requests: { memory: '1500m' } } }),
      'spec.containers[0].resources.requests[memory]: fractional byte value "1500m" is invalid, must be an integer',
    ],
    [
      container({
        env: [
          { name: 'A', value: '1' },
          { name: 'A', value: '$(A)2' },
          { name: 'A', value: '3' },
        ],
      }),
      'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
    ],
    [
      {
        containers: [
          { name: 'a', image: 'i', ports: [{ containerPort: 80 }] },
          { name: 'b', image: 'i', ports: [{ containerPort: 80, hostPort: 8080 }] },
        ],
      },
      'spec.containers[1].ports[0]: overlapping port definition with spec.containers[0].ports[0]',
    ],
    [
      volume({
        projected: {
          sources: [
            { secret: { name: 's', items: [{ key: 'k', path: 'a/b' }] } },
            {
              configMap: {
                name: 'c',
                items: [
                  { key: 'k', path: 'a' },
                  { key: 'l', path: 'a/b/c' },
                ],
              },
            },
          ],
        },
      }),
      'volume "v" (Projected): overlapping paths: "a" (ConfigMap "c") with "a/b" (Secret "s")',
      'volume "v" (Projected): overlapping paths: "a/b/c" (ConfigMap "c") with "a/b" (Secret "s")',
      'volume "v" (Projected): overlapping paths: "a/b/c" (ConfigMap "c") with "a" (ConfigMap "c")',
    ],
    [
      { hostAliases: [{ ip: '010.0.0.1' }], dnsConfig: { nameservers: ['::FFFF:1.2.3.4'] } },
      'spec.dnsConfig.nameservers[0]: non-standard IP address "::FFFF:1.2.3.4" will be considered invalid in a future Kubernetes release: use "1.2.3.4"',
      'spec.hostAliases[0].ip: non-standard IP address "010.0.0.1" will be considered invalid in a future Kubernetes release: use "10.0.0.1"',
    ],
    [
      volume({ gitRepo: { repository: 'r' } }),
      'spec.volumes[0].gitRepo: deprecated in v1.11, and disabled by default in v1.33+',
    ],
  ];
  it.each(table.map(([spec, ...warnings]) => ({ spec, warnings })))('$spec', ({ spec, warnings }) => {
    expect(podKind.warnings?.(podOf({ ...web, ...spec }))).toEqual(warnings);
  });

  it('are for creations', () => {
    const dotted = podOf(web, { name: 'a.b' });
    expect(podKind.warnings?.(dotted)).toEqual([
      expect.stringMatching(
        /^metadata\.name: this is used in the Pod's hostname, which can result in surprising behavior;/,
      ),
    ]);
    expect(podKind.warnings?.(dotted, dotted)).toEqual([]);
  });
});
