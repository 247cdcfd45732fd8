import { describe, expect, it } from 'vitest';
import { validatingAdmissionPolicyBinding } from './admissionregistration/validating-admission-policy-binding.ts';
import { validatingWebhookConfiguration } from './admissionregistration/validating-webhook-configuration.ts';
import { apiService } from './apiregistration/api-service.ts';
import { builtinKinds } from './builtin.ts';
import { lease } from './coordination/lease.ts';
import { eventFromCore, eventToCore } from './events/core-conversion.ts';
import { event } from './events/event.ts';
import { priorityLevelConfiguration } from './flowcontrol/priority-level-configuration.ts';
import type { KindDefinition } from './kind.ts';
import { podDisruptionBudget } from './policy/pod-disruption-budget.ts';
import { role } from './rbac/role.ts';
import { roleBinding } from './rbac/role-binding.ts';
import { resourceClaim } from './resource/resource-claim.ts';
import { priorityClass } from './scheduling/priority-class.ts';
import { storageClass } from './storage/storage-class.ts';

// biome-ignore lint/suspicious/noExplicitAny: objects under test are partly invalid on purpose
type Loose = any;

const kinds = builtinKinds();
const find = (name: string) => kinds.find(({ resource, group }) => `${resource}.${group}` === name)!;
const heads = ({ columns }: KindDefinition, wide = false) =>
  columns
    .filter(({ priority }) => wide || priority === 0)
    .map(({ name }) => name.toUpperCase())
    .join(' | ');
const texts = (definition: KindDefinition, object: Loose) =>
  [...(definition.validate?.(object) ?? []), ...(definition.validateCreate?.(object) ?? [])].map(String);

describe('columns of kubectl get', () => {
  it.each([
    ['deployments.apps', 'NAME | READY | UP-TO-DATE | AVAILABLE | AGE'],
    ['statefulsets.apps', 'NAME | READY | AGE'],
    ['daemonsets.apps', 'NAME | DESIRED | CURRENT | READY | UP-TO-DATE | AVAILABLE | NODE SELECTOR | AGE'],
    ['controllerrevisions.apps', 'NAME | CONTROLLER | REVISION | AGE'],
    ['jobs.batch', 'NAME | STATUS | COMPLETIONS | DURATION | AGE'],
    ['cronjobs.batch', 'NAME | SCHEDULE | TIMEZONE | SUSPEND | ACTIVE | LAST SCHEDULE | AGE'],
    ['horizontalpodautoscalers.autoscaling', 'NAME | REFERENCE | TARGETS | MINPODS | MAXPODS | REPLICAS | AGE'],
    ['ingresses.networking.k8s.io', 'NAME | CLASS | HOSTS | ADDRESS | PORTS | AGE'],
    ['networkpolicies.networking.k8s.io', 'NAME | POD-SELECTOR | AGE'],
    ['ipaddresses.networking.k8s.io', 'NAME | PARENTREF'],
    ['endpointslices.discovery.k8s.io', 'NAME | ADDRESSTYPE | PORTS | ENDPOINTS | AGE'],
    ['poddisruptionbudgets.policy', 'NAME | MIN AVAILABLE | MAX UNAVAILABLE | ALLOWED DISRUPTIONS | AGE'],
    ['clusterroles.rbac.authorization.k8s.io', 'NAME | CREATED AT'],
    ['clusterrolebindings.rbac.authorization.k8s.io', 'NAME | ROLE | AGE'],
    [
      'storageclasses.storage.k8s.io',
      'NAME | PROVISIONER | RECLAIMPOLICY | VOLUMEBINDINGMODE | ALLOWVOLUMEEXPANSION | AGE',
    ],
    ['priorityclasses.scheduling.k8s.io', 'NAME | VALUE | GLOBAL-DEFAULT | AGE | PREEMPTIONPOLICY'],
    ['leases.coordination.k8s.io', 'NAME | HOLDER | AGE'],
    [
      'certificatesigningrequests.certificates.k8s.io',
      'NAME | AGE | SIGNERNAME | REQUESTOR | REQUESTEDDURATION | CONDITION',
    ],
    ['customresourcedefinitions.apiextensions.k8s.io', 'NAME | CREATED AT'],
    ['apiservices.apiregistration.k8s.io', 'NAME | SERVICE | AVAILABLE | AGE'],
    ['validatingwebhookconfigurations.admissionregistration.k8s.io', 'NAME | WEBHOOKS | AGE'],
    [
      'flowschemas.flowcontrol.apiserver.k8s.io',
      'NAME | PRIORITYLEVEL | MATCHINGPRECEDENCE | DISTINGUISHERMETHOD | AGE | MISSINGPL',
    ],
    ['events.events.k8s.io', 'LAST SEEN | TYPE | REASON | OBJECT | MESSAGE'],
    ['resourceclaims.resource.k8s.io', 'NAME | STATE | AGE'],
  ])('%s', (name, expected) => expect(heads(find(name))).toBe(expected));

  it('has wide ones', () => {
    expect(heads(find('rolebindings.rbac.authorization.k8s.io'), true)).toBe(
      'NAME | ROLE | AGE | USERS | GROUPS | SERVICEACCOUNTS',
    );
    expect(heads(find('replicasets.apps'), true)).toBe(
      'NAME | DESIRED | CURRENT | READY | AGE | CONTAINERS | IMAGES | SELECTOR',
    );
  });
});

describe('kinds', () => {
  it('keep reviews out of the store', () => {
    for (const kind of kinds.filter(({ group }) => /^auth(entication|orization)\.k8s\.io$/.test(group)))
      expect(kind.virtual, kind.kind).toBe(true);
  });

  it('of rbac bind roles of their reach, for good', () => {
    const binding: Loose = {
      metadata: { name: 'read' },
      roleRef: { kind: 'Role', name: 'reader' },
      subjects: [
        { kind: 'User', name: 'ann' },
        { kind: 'Robot', name: 'r2' },
      ],
    };
    roleBinding.default?.(binding);
    expect(binding.roleRef.apiGroup).toBe('rbac.authorization.k8s.io');
    expect(texts(roleBinding, binding)).toEqual([
      'subjects[1].kind: Unsupported value: "Robot": supported values: "ServiceAccount", "User", "Group"',
    ]);
    const moved = { ...binding, roleRef: { ...binding.roleRef, name: 'writer' } };
    expect((roleBinding.validateUpdate?.(moved, binding) ?? []).map(String)).toEqual([
      'roleRef: Invalid value: {"APIGroup":"rbac.authorization.k8s.io","Kind":"Role","Name":"writer"}: field is immutable',
    ]);
    expect(texts(role, { metadata: {}, rules: [{ verbs: [], nonResourceURLs: ['/x'] }] })).toEqual([
      'rules[0].verbs: Required value: verbs must contain at least one value',
      'rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs',
    ]);
  });

  it('of storage and scheduling keep what they promise', () => {
    const fast: Loose = {
      metadata: { name: 'fast', annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } },
      provisioner: 'a.io/b',
    };
    storageClass.default?.(fast);
    expect(fast).toMatchObject({ reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' });
    expect(storageClass.columns[0]?.value(fast, 0)).toBe('fast (default)');
    expect((storageClass.validateUpdate?.({ ...fast, reclaimPolicy: 'Retain' }, fast) ?? []).map(String)).toEqual([
      'reclaimPolicy: Invalid value: "Retain": field is immutable',
    ]);
    expect(texts(priorityClass, { metadata: { name: 'system-mine' }, value: 1 })).toEqual([
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-mine is not a known system priority class",
    ]);
    expect(texts(priorityClass, { metadata: { name: 'high' }, value: 1_000_000_001 })).toEqual([
      'value: Forbidden: maximum allowed value of a user defined priority is 1000000000',
    ]);
    expect(texts(podDisruptionBudget, { metadata: {}, spec: { minAvailable: '200%' } })).toEqual([
      'spec.minAvailable: Invalid value: "200%": must not be greater than 100%',
    ]);
    expect(texts(lease, { metadata: {}, spec: { leaseDurationSeconds: 0 } })).toEqual([
      'spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0',
    ]);
  });

  it('of admission say whom they ask', () => {
    const configuration: Loose = {
      metadata: { name: 'x' },
      webhooks: [
        {
          name: 'hook.example.com',
          clientConfig: { service: { name: 's', namespace: 'n' } },
          rules: [{ operations: ['*', 'CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }],
          sideEffects: 'Some',
          admissionReviewVersions: ['v1'],
        },
      ],
    };
    validatingWebhookConfiguration.default?.(configuration);
    expect(configuration.webhooks[0]).toMatchObject({
      failurePolicy: 'Fail',
      matchPolicy: 'Equivalent',
      namespaceSelector: {},
      timeoutSeconds: 10,
      clientConfig: { service: { port: 443 } },
      rules: [{ scope: '*' }],
    });
    expect(texts(validatingWebhookConfiguration, configuration)).toEqual([
      `webhooks[0].rules[0].operations: Invalid value: ["*","CREATE"]: if '*' is present, must not specify other operations`,
      'webhooks[0].sideEffects: Unsupported value: "Some": supported values: "None", "NoneOnDryRun"',
    ]);
    expect(
      texts(validatingAdmissionPolicyBinding, { metadata: {}, spec: { policyName: 'p', validationActions: [] } }),
    ).toEqual(['spec.validationActions: Required value: at least one validation action is required']);
  });

  it('of flow control, aggregation and devices are defaulted', () => {
    const level: Loose = {
      metadata: { name: 'l' },
      spec: { type: 'Limited', limited: { limitResponse: { type: 'Queue', queuing: {} } } },
    };
    priorityLevelConfiguration.default?.(level);
    expect(level.spec.limited).toEqual({
      nominalConcurrencyShares: 30,
      lendablePercent: 0,
      limitResponse: { type: 'Queue', queuing: { handSize: 8, queues: 64, queueLengthLimit: 50 } },
    });
    expect(texts(priorityLevelConfiguration, level)).toEqual([]);
    expect(
      texts(apiService, {
        metadata: { name: 'v1.x' },
        spec: { group: 'a.io', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1 },
      }),
    ).toEqual(['metadata.name: Invalid value: "v1.x": must be `spec.version+"."+spec.group`: "v1.a.io"']);
    const claim: Loose = {
      metadata: { name: 'c' },
      spec: { devices: { requests: [{ name: 'gpu', exactly: { deviceClassName: 'gpu.example.com' } }] } },
    };
    resourceClaim.default?.(claim);
    expect(claim.spec.devices.requests[0].exactly).toMatchObject({ allocationMode: 'ExactCount', count: 1 });
    expect(resourceClaim.validateCreate?.(claim)).toEqual([]);
    expect(resourceClaim.columns[1]?.value(claim, 0)).toBe('pending');
  });

  it('of events.k8s.io are core events', () => {
    const object: Loose = {
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'e', namespace: 'default' },
      eventTime: '2026-01-01T00:00:00.000000Z',
      regarding: { kind: 'Pod', name: 'p', namespace: 'default' },
      note: 'Pulled',
      reason: 'Pulled',
      action: 'Pull',
      type: 'Normal',
      reportingController: 'kubelet',
      reportingInstance: 'node-1',
    };
    const core: Loose = eventToCore(structuredClone(object));
    expect(core).toMatchObject({
      apiVersion: 'v1',
      involvedObject: { name: 'p' },
      message: 'Pulled',
      reportingComponent: 'kubelet',
    });
    expect(eventFromCore(core)).toEqual(object);
    expect(texts(event, object)).toEqual([]);
    expect((event.validateUpdate?.({ ...object, note: 'Other' }, object) ?? []).map(String)).toEqual([
      'message: Invalid value: "Other": field is immutable',
    ]);
    expect(event.columns.slice(1, 4).map((column) => column.value(object, 0))).toEqual(['Normal', 'Pulled', 'pod/p']);
  });
});
