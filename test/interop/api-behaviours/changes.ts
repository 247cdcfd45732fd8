/** What updates of a kind do: as merge patches on the object of `every-kind.ts`. */
export interface Changes {
  /** A change that the kind takes; makes a new generation where the kind counts them: all, the first alone, all but the first. */
  readonly change?: object;
  readonly counts?: 'generation' | 'creation' | 'changes';
  /** A change that is refused, and with which words. */
  readonly refused?: readonly [patch: object, message: RegExp];
  /** Takes a part of the status; what comes back holds it. */
  readonly status?: object;
}

const immutable = /field is immutable/;
const condition = {
  type: 'Tested',
  status: 'True',
  reason: 'ByHand',
  message: 'tested',
  lastTransitionTime: '2026-01-02T03:04:05Z',
};
const plainCondition = { type: 'Tested', status: 'True', reason: 'ByHand', message: 'tested' };
const image = { template: { spec: { containers: [{ name: 'main', image: 'registry.example/app:2' }] } } };
const selector = { selector: { matchLabels: { app: 'another' } } };
const balancer = { loadBalancer: { ingress: [{ ip: '192.0.2.7' }] } };
const webhookRefused = [
  { webhooks: [{ name: 'hook.interop.example', admissionReviewVersions: ['v1'], sideEffects: 'Some' }] },
  /webhooks\[0\]\.sideEffects/,
] as const;
const ruleOf = (verb: string) => ({ rules: [{ apiGroups: [''], resources: ['pods'], verbs: [verb] }] });
const claim = { devices: { requests: [{ name: 'other', exactly: { deviceClassName: 'interop' } }] } };

export const changes: Readonly<Record<string, Changes>> = {
  'v1 configmaps': {
    change: { data: { more: 'x' } },
    refused: [{ data: { 'a/b': 'x' } }, /data\[a\/b\]: Invalid value/],
  },
  'v1 endpoints': {
    change: { subsets: [{ addresses: [{ ip: '10.1.2.4' }], ports: [{ port: 81 }] }] },
    refused: [
      { subsets: [{ addresses: [{ ip: '127.0.0.1' }], ports: [{ port: 81 }] }] },
      /may not be in the loopback range/,
    ],
  },
  'v1 events': { change: { message: 'again' } },
  'v1 limitranges': {
    change: { spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '2Ti' } }] } },
    refused: [
      { spec: { limits: [{ type: 'Container', max: { cpu: '1' }, min: { cpu: '2' } }] } },
      /min value 2 is greater than max value 1/,
    ],
  },
  'v1 namespaces': { change: { metadata: { labels: { more: 'x' } } }, status: { conditions: [condition] } },
  'v1 nodes': {
    change: { spec: { unschedulable: false } },
    refused: [{ spec: { taints: [{ key: 'a', effect: 'Sometimes' }] } }, /Unsupported value: "Sometimes"/],
    status: { capacity: { cpu: '4' } },
  },
  'v1 persistentvolumeclaims': {
    refused: [{ spec: { accessModes: ['ReadWriteMany'] } }, /spec is immutable after creation except/],
    status: { conditions: [plainCondition] },
  },
  'v1 persistentvolumes': {
    change: { spec: { persistentVolumeReclaimPolicy: 'Delete' } },
    refused: [
      { spec: { hostPath: { path: '/other' } } },
      /spec\.persistentvolumesource is immutable after creation|spec\.persistentvolumesource: Forbidden/,
    ],
    status: { message: 'tested' },
  },
  'v1 pods': {
    change: { spec: { activeDeadlineSeconds: 600 } },
    counts: 'generation',
    refused: [{ spec: { hostname: 'other' } }, /pod updates may not change fields other than/],
    status: { message: 'tested' },
  },
  'v1 podtemplates': { change: image, counts: 'generation' },
  'v1 replicationcontrollers': {
    change: { spec: { minReadySeconds: 3 } },
    counts: 'generation',
    refused: [{ spec: { replicas: -1 } }, /must be greater than or equal to 0/],
    status: { conditions: [plainCondition] },
  },
  'v1 resourcequotas': {
    change: { spec: { hard: { pods: '99' } } },
    refused: [{ spec: { scopes: ['BestEffort'] } }, immutable],
    status: { used: { pods: '1' } },
  },
  'v1 secrets': { change: { stringData: { more: 'x' } }, refused: [{ type: 'interop.example/other' }, immutable] },
  'v1 serviceaccounts': { change: { automountServiceAccountToken: false } },
  'v1 services': {
    change: { spec: { sessionAffinity: 'ClientIP' } },
    refused: [
      { spec: { clusterIP: '10.96.77.1', clusterIPs: ['10.96.77.1'] } },
      /may not change once set|field is immutable/,
    ],
    status: { conditions: [condition] },
  },
  'admissionregistration.k8s.io/v1 mutatingadmissionpolicies': {
    change: { spec: { failurePolicy: 'Ignore' } },
    counts: 'generation',
    refused: [{ spec: { mutations: [] } }, /spec\.mutations: Required value/],
  },
  'admissionregistration.k8s.io/v1 mutatingadmissionpolicybindings': {
    change: { spec: { policyName: 'another' } },
    counts: 'generation',
    refused: [{ spec: { policyName: 'no_name' } }, /spec\.policyName: Invalid value/],
  },
  'admissionregistration.k8s.io/v1 mutatingwebhookconfigurations': { refused: webhookRefused, counts: 'generation' },
  'admissionregistration.k8s.io/v1 validatingadmissionpolicies': {
    change: { spec: { failurePolicy: 'Ignore' } },
    counts: 'generation',
    refused: [{ spec: { failurePolicy: 'Sometimes' } }, /spec\.failurePolicy: Unsupported value: "Sometimes"/],
    status: { conditions: [condition] },
  },
  'admissionregistration.k8s.io/v1 validatingadmissionpolicybindings': {
    change: { spec: { validationActions: ['Deny'] } },
    counts: 'generation',
    refused: [{ spec: { validationActions: ['Deny', 'Warn'] } }, /must not contain both Deny and Warn/],
  },
  'admissionregistration.k8s.io/v1 validatingwebhookconfigurations': { refused: webhookRefused, counts: 'generation' },
  'apiextensions.k8s.io/v1 customresourcedefinitions': {
    change: { spec: { names: { shortNames: ['thg'] } } },
    counts: 'generation',
    refused: [{ spec: { scope: 'Cluster' } }, immutable],
    status: { conditions: [plainCondition] },
  },
  'apiregistration.k8s.io/v1 apiservices': {
    change: { spec: { versionPriority: 11 } },
    refused: [{ spec: { groupPriorityMinimum: 0 } }, /must be positive and less than 20000/],
    status: { conditions: [plainCondition] },
  },
  'apps/v1 controllerrevisions': {
    change: { revision: 2 },
    refused: [{ data: { anything: 'else' } }, immutable],
  },
  'apps/v1 daemonsets': {
    change: { spec: { minReadySeconds: 3 } },
    counts: 'generation',
    refused: [{ spec: selector }, immutable],
    status: { conditions: [plainCondition] },
  },
  'apps/v1 deployments': {
    change: { spec: { minReadySeconds: 3 } },
    counts: 'generation',
    refused: [{ spec: selector }, immutable],
    status: { conditions: [plainCondition] },
  },
  'apps/v1 replicasets': {
    change: { spec: { minReadySeconds: 3 } },
    counts: 'generation',
    refused: [{ spec: selector }, immutable],
    status: { conditions: [plainCondition] },
  },
  'apps/v1 statefulsets': {
    change: { spec: { minReadySeconds: 3 } },
    counts: 'generation',
    refused: [{ spec: { serviceName: 'other' } }, /updates to statefulset spec for fields other than/],
    status: { conditions: [plainCondition] },
  },
  'autoscaling/v1 horizontalpodautoscalers': {
    change: { spec: { maxReplicas: 4 } },
    refused: [{ spec: { minReplicas: 9 } }, /must be greater than or equal to `minReplicas`/],
    status: { desiredReplicas: 2 },
  },
  'autoscaling/v2 horizontalpodautoscalers': {
    change: { spec: { maxReplicas: 4 } },
    refused: [{ spec: { minReplicas: 9 } }, /must be greater than or equal to `minReplicas`/],
    status: { desiredReplicas: 2 },
  },
  'batch/v1 cronjobs': {
    change: { spec: { suspend: true } },
    counts: 'generation',
    refused: [{ spec: { schedule: 'sometimes' } }, /spec\.schedule: Invalid value: "sometimes"/],
    status: { lastScheduleTime: '2026-01-02T03:04:05Z' },
  },
  'batch/v1 jobs': {
    change: { spec: { backoffLimit: 9 } },
    counts: 'generation',
    refused: [{ spec: { completionMode: 'Indexed' } }, immutable],
    status: { conditions: [plainCondition] },
  },
  'certificates.k8s.io/v1 certificatesigningrequests': {
    refused: [{ metadata: { labels: { 'a b': 'x' } } }, /metadata\.labels: Invalid value: "a b"/],
    status: { conditions: [{ type: 'Failed', status: 'True', reason: 'ByHand', message: 'tested' }] },
  },
  'coordination.k8s.io/v1 leases': {
    change: { spec: { leaseDurationSeconds: 20 } },
    refused: [{ spec: { leaseDurationSeconds: 0 } }, /must be greater than 0/],
  },
  'discovery.k8s.io/v1 endpointslices': {
    change: { endpoints: [{ addresses: ['10.1.2.4'], conditions: {} }] },
    counts: 'generation',
    refused: [{ addressType: 'IPv6' }, immutable],
  },
  'events.k8s.io/v1 events': { refused: [{ reason: 'x'.repeat(129) }, /can have at most 128 characters|reason/] },
  'flowcontrol.apiserver.k8s.io/v1 flowschemas': {
    change: { spec: { matchingPrecedence: 900 } },
    counts: 'generation',
    refused: [{ spec: { matchingPrecedence: 20000 } }, /must not be greater than 10000/],
    status: { conditions: [condition] },
  },
  'flowcontrol.apiserver.k8s.io/v1 prioritylevelconfigurations': {
    change: { spec: { limited: { nominalConcurrencyShares: 2 } } },
    counts: 'generation',
    refused: [{ spec: { limited: { nominalConcurrencyShares: -1 } } }, /must be a non-negative integer/],
    status: { conditions: [condition] },
  },
  'networking.k8s.io/v1 ingressclasses': {
    change: { spec: { parameters: { kind: 'ConfigMap', name: 'some', scope: 'Cluster' } } },
    counts: 'generation',
    refused: [{ spec: { controller: 'interop.example/another' } }, immutable],
  },
  'networking.k8s.io/v1 ingresses': {
    change: { spec: { defaultBackend: { service: { name: 'another' } } } },
    counts: 'generation',
    refused: [{ spec: { rules: [{ host: 'no host' }] } }, /spec\.rules\[0\]\.host: Invalid value/],
    status: balancer,
  },
  'networking.k8s.io/v1 ipaddresses': { refused: [{ spec: { parentRef: { name: 'another' } } }, immutable] },
  'networking.k8s.io/v1 networkpolicies': {
    change: { spec: { policyTypes: ['Ingress', 'Egress'] } },
    counts: 'generation',
    refused: [{ spec: { policyTypes: ['Both'] } }, /Unsupported value: "Both"/],
  },
  'networking.k8s.io/v1 servicecidrs': {
    refused: [{ spec: { cidrs: ['10.78.0.0/24'] } }, immutable],
    status: { conditions: [condition] },
  },
  'node.k8s.io/v1 runtimeclasses': { refused: [{ handler: 'other' }, immutable] },
  'policy/v1 poddisruptionbudgets': {
    change: { spec: { minAvailable: 2 } },
    counts: 'generation',
    refused: [{ spec: { maxUnavailable: 1 } }, /minAvailable and maxUnavailable cannot be both set/],
    status: { conditions: [condition] },
  },
  'rbac.authorization.k8s.io/v1 clusterrolebindings': {
    change: { subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'another' }] },
    refused: [{ roleRef: { name: 'edit' } }, immutable],
  },
  'rbac.authorization.k8s.io/v1 clusterroles': {
    change: ruleOf('list'),
    refused: [{ rules: [{ verbs: [] }] }, /verbs must contain at least one value/],
  },
  'rbac.authorization.k8s.io/v1 rolebindings': {
    change: { subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'another' }] },
    refused: [{ roleRef: { name: 'edit' } }, immutable],
  },
  'rbac.authorization.k8s.io/v1 roles': {
    change: ruleOf('list'),
    refused: [{ rules: [{ verbs: [] }] }, /verbs must contain at least one value/],
  },
  'resource.k8s.io/v1 deviceclasses': {
    change: { spec: { selectors: [{ cel: { expression: "device.driver == 'other.example'" } }] } },
    counts: 'generation',
    refused: [{ spec: { extendedResourceName: 'kubernetes.io/none' } }, /must be a valid extended resource name/],
  },
  'resource.k8s.io/v1 resourceclaims': { refused: [{ spec: claim }, immutable], status: { devices: null } },
  'resource.k8s.io/v1 resourceclaimtemplates': { refused: [{ spec: { spec: claim } }, immutable] },
  'resource.k8s.io/v1 resourceslices': {
    change: { spec: { devices: [{ name: 'gpu-1' }] } },
    counts: 'generation',
    refused: [{ spec: { driver: 'other.example' } }, immutable],
  },
  'scheduling.k8s.io/v1 priorityclasses': {
    change: { description: 'tested' },
    counts: 'creation',
    refused: [{ value: 2000 }, /may not be changed in an update/],
  },
  'storage.k8s.io/v1 csidrivers': {
    change: { spec: { requiresRepublish: true } },
    counts: 'changes',
    refused: [{ spec: { attachRequired: true } }, immutable],
  },
  'storage.k8s.io/v1 csinodes': {
    refused: [
      { spec: { drivers: [{ name: 'csi.interop.example', nodeID: 'two' }] } },
      /field is immutable|no updates allowed/,
    ],
  },
  'storage.k8s.io/v1 csistoragecapacities': {
    change: { capacity: '2Gi' },
    refused: [{ storageClassName: 'another' }, immutable],
  },
  'storage.k8s.io/v1 storageclasses': {
    change: { allowVolumeExpansion: true },
    refused: [{ provisioner: 'interop.example/other' }, /field is immutable/],
  },
  'storage.k8s.io/v1 volumeattachments': {
    refused: [{ spec: { nodeName: 'other' } }, immutable],
    status: { attached: true },
  },
  'storage.k8s.io/v1 volumeattributesclasses': {
    refused: [{ driverName: 'other.example' }, /updates to driverName are forbidden|field is immutable/],
  },
};
