import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
  readonly [field: string]: unknown;
}

/** A kind that `kubectl create -f` stores, and the least that it takes. */
export interface KindCase {
  /** As kubectl takes and prints it: `deployments.apps`. */
  readonly resource: string;
  readonly namespaced: boolean;
  readonly manifest: Manifest;
}

export const NAMESPACE = 'interop';
export const NAME = 'every-kind';

/** A certificate signing request for a subject like `/O=team/CN=alice`, as openssl writes it. */
export function signingRequest(subject: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'k8ts-csr-'));
  try {
    const out = join(folder, 'request.pem');
    execFileSync(
      'openssl',
      [
        'req',
        '-new',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:prime256v1',
        '-nodes',
        '-keyout',
        join(folder, 'key.pem'),
        '-subj',
        `${subject}`,
        '-out',
        out,
      ],
      { stdio: 'ignore' },
    );
    return readFileSync(out).toString('base64');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/**
 * One object of every GA kind that is stored, named every-kind (where the kind leaves the choice). Lists that are replaced
 * as a whole carry their defaults: without them, kubectl apply sees a change each time.
 */
export function everyKind(): KindCase[] {
  const container = { name: 'main', image: 'registry.example/app:1' };
  const labels = { app: NAME };
  const template = { metadata: { labels }, spec: { containers: [container] } };
  const workload = { selector: { matchLabels: labels }, template };
  const nowhere = {
    selector: { matchLabels: labels },
    template: { ...template, spec: { ...template.spec, nodeSelector: { 'interop.example/none': 'none' } } },
  };
  const claim = {
    accessModes: ['ReadWriteOnce'],
    storageClassName: 'interop',
    resources: { requests: { storage: '1Gi' } },
  };
  const rule = {
    apiGroups: ['interop.example'],
    apiVersions: ['v1'],
    operations: ['CREATE'],
    resources: ['things'],
    scope: '*',
  };
  const webhook = {
    name: 'hook.interop.example',
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    clientConfig: { url: 'https://127.0.0.1:9/none' },
    rules: [rule],
  };
  const adminRole = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'view' };
  const device = {
    requests: [{ name: 'gpu', exactly: { deviceClassName: 'interop', allocationMode: 'ExactCount', count: 1 } }],
  };
  const cluster = (resource: string, apiVersion: string, kind: string, fields: object = {}, name = NAME): KindCase => ({
    resource,
    namespaced: false,
    manifest: { apiVersion, kind, metadata: { name }, ...fields },
  });
  const namespaced = (resource: string, apiVersion: string, kind: string, fields: object = {}): KindCase => ({
    resource,
    namespaced: true,
    manifest: { apiVersion, kind, metadata: { name: NAME, namespace: NAMESPACE }, ...fields },
  });
  return [
    namespaced('configmaps', 'v1', 'ConfigMap', { data: { key: 'value' } }),
    namespaced('endpoints', 'v1', 'Endpoints', {
      subsets: [{ addresses: [{ ip: '10.1.2.3' }], ports: [{ port: 80, protocol: 'TCP' }] }],
    }),
    namespaced('events', 'v1', 'Event', {
      involvedObject: { kind: 'Pod', namespace: NAMESPACE, name: 'some' },
      reason: 'Tested',
      message: 'by hand',
      type: 'Normal',
      source: { component: 'interop' },
    }),
    namespaced('limitranges', 'v1', 'LimitRange', {
      spec: { limits: [{ type: 'PersistentVolumeClaim', max: { storage: '1Ti' } }] },
    }),
    cluster('namespaces', 'v1', 'Namespace'),
    cluster('nodes', 'v1', 'Node', { spec: { unschedulable: true } }),
    namespaced('persistentvolumeclaims', 'v1', 'PersistentVolumeClaim', { spec: claim }),
    cluster('persistentvolumes', 'v1', 'PersistentVolume', {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteOnce'],
        storageClassName: 'elsewhere',
        hostPath: { path: '/none' },
      },
    }),
    namespaced('pods', 'v1', 'Pod', { spec: { containers: [container] } }),
    namespaced('podtemplates', 'v1', 'PodTemplate', { template }),
    namespaced('replicationcontrollers', 'v1', 'ReplicationController', {
      spec: { selector: labels, template, replicas: 0 },
    }),
    namespaced('resourcequotas', 'v1', 'ResourceQuota', { spec: { hard: { pods: '100' } } }),
    namespaced('secrets', 'v1', 'Secret', { data: { password: 'c2VjcmV0' } }),
    namespaced('serviceaccounts', 'v1', 'ServiceAccount'),
    namespaced('services', 'v1', 'Service', { spec: { ports: [{ port: 80 }] } }),
    cluster(
      'mutatingadmissionpolicies.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'MutatingAdmissionPolicy',
      {
        spec: {
          matchConstraints: { resourceRules: [rule] },
          reinvocationPolicy: 'Never',
          mutations: [
            {
              patchType: 'ApplyConfiguration',
              applyConfiguration: { expression: 'Object{metadata: Object.metadata{labels: {"a": "b"}}}' },
            },
          ],
        },
      },
    ),
    cluster(
      'mutatingadmissionpolicybindings.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'MutatingAdmissionPolicyBinding',
      { spec: { policyName: NAME } },
    ),
    cluster(
      'mutatingwebhookconfigurations.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'MutatingWebhookConfiguration',
      { webhooks: [webhook] },
    ),
    cluster(
      'validatingadmissionpolicies.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'ValidatingAdmissionPolicy',
      {
        spec: { matchConstraints: { resourceRules: [rule] }, validations: [{ expression: 'has(object.metadata)' }] },
      },
    ),
    cluster(
      'validatingadmissionpolicybindings.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'ValidatingAdmissionPolicyBinding',
      { spec: { policyName: NAME, validationActions: ['Audit'] } },
    ),
    cluster(
      'validatingwebhookconfigurations.admissionregistration.k8s.io',
      'admissionregistration.k8s.io/v1',
      'ValidatingWebhookConfiguration',
      { webhooks: [webhook] },
    ),
    cluster(
      'customresourcedefinitions.apiextensions.k8s.io',
      'apiextensions.k8s.io/v1',
      'CustomResourceDefinition',
      {
        spec: {
          group: 'interop.example',
          scope: 'Namespaced',
          names: { plural: 'things', singular: 'thing', kind: 'Thing', listKind: 'ThingList' },
          versions: [
            {
              name: 'v1',
              served: true,
              storage: true,
              schema: {
                openAPIV3Schema: {
                  type: 'object',
                  properties: { spec: { type: 'object', properties: { size: { type: 'integer' } } } },
                },
              },
            },
          ],
        },
      },
      'things.interop.example',
    ),
    cluster(
      'apiservices.apiregistration.k8s.io',
      'apiregistration.k8s.io/v1',
      'APIService',
      {
        spec: {
          group: 'absent.example',
          version: 'v1',
          groupPriorityMinimum: 1000,
          versionPriority: 10,
          insecureSkipTLSVerify: true,
          service: { namespace: NAMESPACE, name: 'absent' },
        },
      },
      'v1.absent.example',
    ),
    namespaced('controllerrevisions.apps', 'apps/v1', 'ControllerRevision', {
      revision: 1,
      data: { anything: [1, 'two'] },
    }),
    namespaced('daemonsets.apps', 'apps/v1', 'DaemonSet', { spec: nowhere }),
    namespaced('deployments.apps', 'apps/v1', 'Deployment', { spec: { replicas: 0, ...workload } }),
    namespaced('replicasets.apps', 'apps/v1', 'ReplicaSet', { spec: { replicas: 0, ...workload } }),
    namespaced('statefulsets.apps', 'apps/v1', 'StatefulSet', {
      spec: { replicas: 0, serviceName: NAME, ...workload },
    }),
    namespaced('horizontalpodautoscalers.autoscaling', 'autoscaling/v2', 'HorizontalPodAutoscaler', {
      spec: { scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: NAME }, maxReplicas: 3 },
    }),
    namespaced('cronjobs.batch', 'batch/v1', 'CronJob', {
      spec: {
        schedule: '0 0 1 1 *',
        jobTemplate: { spec: { template: { spec: { restartPolicy: 'Never', containers: [container] } } } },
      },
    }),
    namespaced('jobs.batch', 'batch/v1', 'Job', {
      spec: { suspend: true, template: { spec: { restartPolicy: 'Never', containers: [container] } } },
    }),
    cluster('certificatesigningrequests.certificates.k8s.io', 'certificates.k8s.io/v1', 'CertificateSigningRequest', {
      spec: { request: signingRequest('/CN=someone'), signerName: 'interop.example/signer', usages: ['client auth'] },
    }),
    namespaced('leases.coordination.k8s.io', 'coordination.k8s.io/v1', 'Lease', {
      spec: { holderIdentity: 'someone', leaseDurationSeconds: 10 },
    }),
    namespaced('endpointslices.discovery.k8s.io', 'discovery.k8s.io/v1', 'EndpointSlice', {
      addressType: 'IPv4',
      endpoints: [{ addresses: ['10.1.2.3'], conditions: {} }],
      ports: [{ name: '', port: 80, protocol: 'TCP' }],
    }),
    cluster('flowschemas.flowcontrol.apiserver.k8s.io', 'flowcontrol.apiserver.k8s.io/v1', 'FlowSchema', {
      spec: {
        priorityLevelConfiguration: { name: NAME },
        rules: [
          {
            subjects: [{ kind: 'User', user: { name: 'nobody' } }],
            resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'] }],
          },
        ],
      },
    }),
    cluster(
      'prioritylevelconfigurations.flowcontrol.apiserver.k8s.io',
      'flowcontrol.apiserver.k8s.io/v1',
      'PriorityLevelConfiguration',
      { spec: { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } } },
    ),
    cluster('ingressclasses.networking.k8s.io', 'networking.k8s.io/v1', 'IngressClass', {
      spec: { controller: 'interop.example/ingress' },
    }),
    namespaced('ingresses.networking.k8s.io', 'networking.k8s.io/v1', 'Ingress', {
      spec: { ingressClassName: NAME, defaultBackend: { service: { name: NAME, port: { number: 80 } } } },
    }),
    cluster(
      'ipaddresses.networking.k8s.io',
      'networking.k8s.io/v1',
      'IPAddress',
      { spec: { parentRef: { resource: 'services', namespace: NAMESPACE, name: NAME } } },
      '10.77.0.9',
    ),
    namespaced('networkpolicies.networking.k8s.io', 'networking.k8s.io/v1', 'NetworkPolicy', {
      spec: { podSelector: {}, ingress: [{}], policyTypes: ['Ingress'] },
    }),
    cluster('servicecidrs.networking.k8s.io', 'networking.k8s.io/v1', 'ServiceCIDR', {
      spec: { cidrs: ['10.77.0.0/24'] },
    }),
    cluster('runtimeclasses.node.k8s.io', 'node.k8s.io/v1', 'RuntimeClass', { handler: 'runc' }),
    namespaced('poddisruptionbudgets.policy', 'policy/v1', 'PodDisruptionBudget', {
      spec: { minAvailable: 1, selector: { matchLabels: labels } },
    }),
    cluster('clusterrolebindings.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/v1', 'ClusterRoleBinding', {
      roleRef: adminRole,
      subjects: [{ kind: 'User', apiGroup: 'rbac.authorization.k8s.io', name: 'someone' }],
    }),
    cluster('clusterroles.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/v1', 'ClusterRole', {
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    }),
    namespaced('rolebindings.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/v1', 'RoleBinding', {
      roleRef: adminRole,
      subjects: [{ kind: 'ServiceAccount', name: 'default', namespace: NAMESPACE }],
    }),
    namespaced('roles.rbac.authorization.k8s.io', 'rbac.authorization.k8s.io/v1', 'Role', {
      rules: [{ apiGroups: [''], resources: ['pods'], verbs: ['get'] }],
    }),
    cluster('deviceclasses.resource.k8s.io', 'resource.k8s.io/v1', 'DeviceClass', {
      spec: { selectors: [{ cel: { expression: "device.driver == 'interop.example'" } }] },
    }),
    namespaced('resourceclaims.resource.k8s.io', 'resource.k8s.io/v1', 'ResourceClaim', { spec: { devices: device } }),
    namespaced('resourceclaimtemplates.resource.k8s.io', 'resource.k8s.io/v1', 'ResourceClaimTemplate', {
      spec: { spec: { devices: device } },
    }),
    cluster('resourceslices.resource.k8s.io', 'resource.k8s.io/v1', 'ResourceSlice', {
      spec: {
        driver: 'interop.example',
        nodeName: NAME,
        pool: { name: 'pool', generation: 1, resourceSliceCount: 1 },
        devices: [{ name: 'gpu-0' }],
      },
    }),
    cluster('priorityclasses.scheduling.k8s.io', 'scheduling.k8s.io/v1', 'PriorityClass', { value: 1000 }),
    cluster('csidrivers.storage.k8s.io', 'storage.k8s.io/v1', 'CSIDriver', { spec: { attachRequired: false } }),
    cluster('csinodes.storage.k8s.io', 'storage.k8s.io/v1', 'CSINode', {
      spec: { drivers: [{ name: 'csi.interop.example', nodeID: 'one' }] },
    }),
    namespaced('csistoragecapacities.storage.k8s.io', 'storage.k8s.io/v1', 'CSIStorageCapacity', {
      storageClassName: 'interop',
      capacity: '1Gi',
    }),
    cluster('storageclasses.storage.k8s.io', 'storage.k8s.io/v1', 'StorageClass', {
      provisioner: 'interop.example/none',
    }),
    cluster('volumeattachments.storage.k8s.io', 'storage.k8s.io/v1', 'VolumeAttachment', {
      spec: { attacher: 'csi.interop.example', nodeName: NAME, source: { persistentVolumeName: NAME } },
    }),
    cluster('volumeattributesclasses.storage.k8s.io', 'storage.k8s.io/v1', 'VolumeAttributesClass', {
      driverName: 'csi.interop.example',
      parameters: { speed: 'high' },
    }),
  ];
}

/** As `kubectl create -f` takes many objects. */
export function listOf(manifests: readonly object[]): string {
  return JSON.stringify({ apiVersion: 'v1', kind: 'List', items: manifests });
}
