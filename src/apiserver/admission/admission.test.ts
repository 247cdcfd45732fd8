import { describe, expect, it } from 'vitest';
import type { Pod } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { certificateApproval } from './certificates.ts';
import { defaultIngressClass, defaultStorageClass } from './default-classes.ts';
import { limitRanger } from './limit-ranger.ts';
import { namespaceLifecycle } from './namespace-lifecycle.ts';
import { nodeRestriction } from './node-restriction.ts';
import { ownerReferencesPermissionEnforcement } from './owner-references.ts';
import { pluginConfiguration } from './plugin-configuration.ts';
import { priority } from './priority.ts';
import { runtimeClassStep } from './runtime-class.ts';
import { serviceAccountStep } from './service-account.ts';
import { persistentVolumeClaimResize, storageObjectInUseProtection } from './storage-protection.ts';
import { admit, FakeLookup, pod } from './testing/admit.ts';
import { defaultTolerationSeconds, extendedResourceToleration, taintNodesByCondition } from './tolerations.ts';

const namespace = (name: string, change: object = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name },
  ...change,
});
const specOf = (outcome: { object: unknown }) => (outcome.object as Pod).spec;
const allow = (...allowed: string[]): Authorizer => ({
  name: 'test',
  authorize: ({ user, verb, resource, subresource, name }) => ({
    decision: allowed.includes(`${user.name} ${verb} ${resource}${subresource ? `/${subresource}` : ''} ${name}`)
      ? 'allow'
      : 'noOpinion',
  }),
});

describe('NamespaceLifecycle', () => {
  const lookup = new FakeLookup()
    .put('namespaces', namespace('shop'))
    .put('namespaces', namespace('ending', { status: { phase: 'Terminating' } }));
  const step = namespaceLifecycle(lookup);

  it('wants a namespace that exists and does not end', async () => {
    await admit(step, 'pods', pod());
    await expect(admit(step, 'pods', pod({}, { namespace: 'none' }))).rejects.toThrow('namespaces "none" not found');
    const error = await admit(step, 'pods', pod({}, { namespace: 'ending' })).catch((caught) => caught);
    expect(error.message).toBe(
      'pods "web" is forbidden: unable to create new content in namespace ending because it is being terminated',
    );
    expect(isStatusError(error, 'Forbidden') && error.status.details?.causes?.[0]?.reason).toBe('NamespaceTerminating');
    await admit(step, 'pods', pod({}, { namespace: 'ending' }), { operation: 'UPDATE', oldObject: pod() as never });
  });

  it('keeps the namespaces that a cluster needs', async () => {
    const remove = (name: string) =>
      admit(step, 'namespaces', undefined, {
        operation: 'DELETE',
        name,
        namespace: name,
        kind: { group: '', version: 'v1', kind: 'Namespace' },
      });
    await expect(remove('kube-system')).rejects.toThrow(
      'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    );
    await remove('shop');
  });
});

describe('ServiceAccount', () => {
  const account = (name: string, change: object = {}) => ({
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: { name, namespace: 'shop' },
    ...change,
  });
  const lookup = new FakeLookup()
    .put('serviceaccounts', account('default', { imagePullSecrets: [{ name: 'registry' }] }))
    .put('serviceaccounts', account('quiet', { automountServiceAccountToken: false }));
  const step = serviceAccountStep({ lookup, defaultAccountWaitMs: 60 });

  it('gives the default account, its pull secrets and the token volume', async () => {
    const spec = specOf(await admit(step, 'pods', pod({ initContainers: [{ name: 'init' }] })));
    expect(spec).toMatchObject({
      serviceAccountName: 'default',
      serviceAccount: 'default',
      imagePullSecrets: [{ name: 'registry' }],
    });
    const volume = spec.volumes![0]!;
    expect(volume.name).toMatch(/^kube-api-access-[bcdfghjklmnpqrstvwxz2456789]{5}$/);
    expect(volume.projected).toEqual({
      defaultMode: 420,
      sources: [
        { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
        { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
        {
          downwardAPI: {
            items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }],
          },
        },
      ],
    });
    for (const container of [...spec.containers, ...spec.initContainers!]) {
      expect(container.volumeMounts).toEqual([
        { name: volume.name, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
      ]);
    }
  });

  it('leaves out what is not wanted', async () => {
    expect(specOf(await admit(step, 'pods', pod({ serviceAccountName: 'quiet' }))).volumes).toBeUndefined();
    expect(
      specOf(
        await admit(step, 'pods', pod({ automountServiceAccountToken: false, imagePullSecrets: [{ name: 'own' }] })),
      ),
    ).toMatchObject({ imagePullSecrets: [{ name: 'own' }] });
    const mounted = pod({
      containers: [
        { name: 'c', volumeMounts: [{ name: 'mine', mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' }] },
      ],
    });
    expect(specOf(await admit(step, 'pods', mounted)).volumes).toBeUndefined();
    expect(
      specOf(await admit(step, 'pods', pod({ serviceAccountName: 'quiet', automountServiceAccountToken: true })))
        .volumes,
    ).toHaveLength(1);
  });

  it('waits for a new namespace to get its account, and says when there is none', async () => {
    await expect(admit(step, 'pods', pod({ serviceAccountName: 'none' }))).rejects.toThrow(
      'pods "web" is forbidden: error looking up service account shop/none: serviceaccount "none" not found',
    );
    const fresh = new FakeLookup();
    setTimeout(() => fresh.put('serviceaccounts', account('default')), 20);
    expect(specOf(await admit(serviceAccountStep({ lookup: fresh }), 'pods', pod())).serviceAccountName).toBe(
      'default',
    );
  });

  it('lets mirror pods reference nothing', async () => {
    const mirror = { annotations: { 'kubernetes.io/config.mirror': 'x' } };
    expect(specOf(await admit(step, 'pods', pod({}, mirror))).serviceAccountName).toBeUndefined();
    await expect(
      admit(step, 'pods', pod({ volumes: [{ name: 's', secret: { secretName: 'x' } }] }, mirror)),
    ).rejects.toThrow('a mirror pod may not reference secrets');
  });

  it('holds pods to the secrets of an account that enforces them, containers added later too', async () => {
    const enforcing = new FakeLookup().put(
      'serviceaccounts',
      account('default', {
        metadata: {
          name: 'default',
          namespace: 'shop',
          annotations: { 'kubernetes.io/enforce-mountable-secrets': 'true' },
        },
        secrets: [{ name: 'mine' }],
      }),
    );
    const limited = serviceAccountStep({ lookup: enforcing });
    const fromEnv = (name: string) => ({
      name: 'c',
      env: [{ name: 'E', valueFrom: { secretKeyRef: { name, key: 'k' } } }],
    });
    const fromAll = (name: string) => ({ name: 'c', envFrom: [{ secretRef: { name } }] });
    await admit(limited, 'pods', pod({ containers: [fromEnv('mine'), fromAll('mine')] }));
    for (const [spec, what] of [
      [{ volumes: [{ name: 'v', secret: { secretName: 'x' } }] }, 'volume with secret.secretName="x"'],
      [{ containers: [fromEnv('x')] }, 'container c with envVar E referencing secret.secretName="x"'],
      [{ containers: [fromAll('x')] }, 'container c with envFrom referencing secret.secretName="x"'],
      [{ initContainers: [fromAll('x')] }, 'init container c with envFrom referencing secret.secretName="x"'],
    ] as const)
      await expect(admit(limited, 'pods', pod(spec))).rejects.toThrow(
        `pods "web" is forbidden: ${what} is not allowed because service account default does not reference that secret`,
      );
    const debugged = pod({ serviceAccountName: 'default', ephemeralContainers: [fromAll('x')] });
    await expect(
      admit(limited, 'pods', debugged, { operation: 'UPDATE', subresource: 'ephemeralcontainers' }),
    ).rejects.toThrow('ephemeral container c with envFrom referencing secret.secretName="x"');
  });
});

describe('defaults', () => {
  const created = (name: string, creationTimestamp: string, annotation: string) => ({
    metadata: { name, creationTimestamp, annotations: { [annotation]: 'true' } },
  });
  const lookup = new FakeLookup()
    .put('storageclasses', created('old', '2026-01-01T00:00:00Z', 'storageclass.kubernetes.io/is-default-class'))
    .put('storageclasses', created('new', '2026-02-01T00:00:00Z', 'storageclass.kubernetes.io/is-default-class'))
    .put('ingressclasses', created('web', '2026-01-01T00:00:00Z', 'ingressclass.kubernetes.io/is-default-class'));

  it('name the newest default class where none is named', async () => {
    const claim = (spec: object) => ({ metadata: { name: 'data', namespace: 'shop' }, spec });
    const classOf = async (spec: object) =>
      (await admit(defaultStorageClass(lookup), 'persistentvolumeclaims', claim(spec))).object.spec;
    expect(await classOf({})).toEqual({ storageClassName: 'new' });
    expect(await classOf({ storageClassName: '' })).toEqual({ storageClassName: '' });
    const ingress = (spec?: object) => ({ metadata: { name: 'i', namespace: 'shop' }, ...(spec ? { spec } : {}) });
    expect((await admit(defaultIngressClass(lookup), 'networking.k8s.io/ingresses', ingress())).object.spec).toEqual({
      ingressClassName: 'web',
    });
  });

  it('tolerate, taint and protect', async () => {
    expect(
      specOf(
        await admit(
          defaultTolerationSeconds(),
          'pods',
          pod({ tolerations: [{ key: 'node.kubernetes.io/not-ready', operator: 'Exists' }] }),
        ),
      ).tolerations,
    ).toEqual([
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists' },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ]);
    expect(
      specOf(await admit(defaultTolerationSeconds(), 'pods', pod({ tolerations: [{ operator: 'Exists' }] })))
        .tolerations,
    ).toHaveLength(1);
    expect((await admit(taintNodesByCondition, 'nodes', { metadata: { name: 'n' } })).object.spec).toEqual({
      taints: [{ key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' }],
    });
    expect(
      (await admit(storageObjectInUseProtection, 'persistentvolumes', { metadata: { name: 'p' } })).object.metadata
        .finalizers,
    ).toEqual(['kubernetes.io/pv-protection']);
    const gpu = pod({ containers: [{ name: 'c', resources: { requests: { 'acme.com/gpu': '1', cpu: '1' } } }] });
    expect(specOf(await admit(extendedResourceToleration, 'pods', gpu)).tolerations).toEqual([
      { key: 'acme.com/gpu', operator: 'Exists' },
    ]);
  });
});

describe('Priority', () => {
  const lookup = new FakeLookup()
    .put('priorityclasses', { metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' })
    .put('priorityclasses', { metadata: { name: 'normal' }, value: 10, globalDefault: true });
  const step = priority(lookup);

  it('resolves the class', async () => {
    expect(specOf(await admit(step, 'pods', pod({ priorityClassName: 'high' })))).toMatchObject({
      priority: 1000,
      preemptionPolicy: 'Never',
    });
    expect(specOf(await admit(step, 'pods', pod()))).toMatchObject({
      priorityClassName: 'normal',
      priority: 10,
      preemptionPolicy: 'PreemptLowerPriority',
    });
    expect(specOf(await admit(priority(new FakeLookup()), 'pods', pod()))).toMatchObject({ priority: 0 });
    await expect(admit(step, 'pods', pod({ priorityClassName: 'none' }))).rejects.toThrow(
      'pods "web" is forbidden: no PriorityClass with name none was found',
    );
    await expect(admit(step, 'pods', pod({ priority: 5 }))).rejects.toThrow(
      /the integer value of priority \(5\) must not be provided in pod spec/,
    );
    await expect(
      admit(step, 'scheduling.k8s.io/priorityclasses', { metadata: { name: 'other' }, value: 1, globalDefault: true }),
    ).rejects.toThrow('PriorityClass normal is already marked as default. Only one default can exist');
  });
});

describe('LimitRanger', () => {
  const range = (limits: object[]) => ({ metadata: { name: 'limits', namespace: 'shop' }, spec: { limits } });
  const withResources = (resources: object) => pod({ containers: [{ name: 'c', resources }] });

  it('fills defaults in and notes that it did', async () => {
    const lookup = new FakeLookup().put(
      'limitranges',
      range([{ type: 'Container', default: { cpu: '500m', memory: '1Gi' }, defaultRequest: { cpu: '100m' } }]),
    );
    const { object } = await admit(limitRanger(lookup), 'pods', withResources({ limits: { memory: '2Gi' } }));
    expect((object as unknown as Pod).spec.containers[0]!.resources).toEqual({
      requests: { cpu: '100m' },
      limits: { cpu: '500m', memory: '2Gi' },
    });
    expect(object.metadata.annotations).toEqual({
      'kubernetes.io/limit-ranger': 'LimitRanger plugin set: cpu request for container c; cpu limit for container c',
    });
  });

  it('keeps containers, pods and claims within bounds', async () => {
    const lookup = new FakeLookup().put(
      'limitranges',
      range([
        { type: 'Container', max: { cpu: '1' }, min: { memory: '10Mi' }, maxLimitRequestRatio: { cpu: '2' } },
        { type: 'Pod', max: { memory: '1Gi' } },
        { type: 'PersistentVolumeClaim', max: { storage: '2Gi' } },
      ]),
    );
    const step = limitRanger(lookup);
    const good = { requests: { cpu: '500m', memory: '20Mi' }, limits: { cpu: '1', memory: '1Gi' } };
    await admit(step, 'pods', withResources(good));
    await expect(admit(step, 'pods', withResources({ ...good, limits: { cpu: '2', memory: '1Gi' } }))).rejects.toThrow(
      'pods "web" is forbidden: [maximum cpu usage per Container is 1, but limit is 2, cpu max limit to request ratio per Container is 2, but provided ratio is 4.000000]',
    );
    await expect(admit(step, 'pods', withResources({ ...good, requests: { cpu: '1' } }))).rejects.toThrow(
      'minimum memory usage per Container is 10Mi.  No request is specified',
    );
    await expect(
      admit(
        step,
        'pods',
        pod({
          containers: [
            { name: 'a', resources: good },
            { name: 'b', resources: good },
          ],
        }),
      ),
    ).rejects.toThrow('maximum memory usage per Pod is 1Gi, but limit is 2Gi');
    const claim = { metadata: { name: 'd', namespace: 'shop' }, spec: { resources: { requests: { storage: '3Gi' } } } };
    await expect(admit(step, 'persistentvolumeclaims', claim)).rejects.toThrow(
      'maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
    );
  });
});

describe('RuntimeClass', () => {
  it('brings overhead and scheduling', async () => {
    const lookup = new FakeLookup().put('runtimeclasses', {
      metadata: { name: 'vm' },
      overhead: { podFixed: { memory: '64Mi' } },
      scheduling: { nodeSelector: { vm: 'yes' }, tolerations: [{ key: 'vm', operator: 'Exists' }] },
    });
    const step = runtimeClassStep(lookup);
    expect(specOf(await admit(step, 'pods', pod({ runtimeClassName: 'vm' })))).toMatchObject({
      overhead: { memory: '64Mi' },
      nodeSelector: { vm: 'yes' },
      tolerations: [{ key: 'vm' }],
    });
    const tolerations = [{ key: 'vm', operator: 'Equal', value: 'a' }, { key: 'x' }];
    expect(specOf(await admit(step, 'pods', pod({ runtimeClassName: 'vm', tolerations }))).tolerations).toEqual([
      { key: 'x' },
      { key: 'vm', operator: 'Exists' },
    ]);
    await admit(step, 'pods', pod({ runtimeClassName: 'vm', overhead: { memory: '65536Ki' } }));
    await expect(admit(step, 'pods', pod({ runtimeClassName: 'none' }))).rejects.toThrow(
      'pods "web" is forbidden: pod rejected: RuntimeClass "none" not found',
    );
    await expect(admit(step, 'pods', pod({ runtimeClassName: 'vm', nodeSelector: { vm: 'no' } }))).rejects.toThrow(
      'conflict: runtimeClass.scheduling.nodeSelector[vm] = yes',
    );
    await expect(admit(step, 'pods', pod({ overhead: { cpu: '1' } }))).rejects.toThrow(
      'Pod Overhead set without corresponding RuntimeClass defined Overhead',
    );
  });
});

describe('PersistentVolumeClaimResize', () => {
  it('asks the StorageClass', async () => {
    const lookup = new FakeLookup().put('storageclasses', { metadata: { name: 'grows' }, allowVolumeExpansion: true });
    const claim = (storage: string, storageClassName = 'grows') => ({
      metadata: { name: 'd', namespace: 'shop' },
      spec: { storageClassName, resources: { requests: { storage } } },
      status: { phase: 'Bound' },
    });
    const grow = (className: string) =>
      admit(persistentVolumeClaimResize(lookup), 'persistentvolumeclaims', claim('2Gi', className), {
        operation: 'UPDATE',
        oldObject: claim('1Gi', className) as never,
      });
    await grow('grows');
    await expect(grow('fixed')).rejects.toThrow(
      'only dynamically provisioned pvc can be resized and the storageclass that provisions the pvc must support resize',
    );
  });
});

describe('rights that admission asks for', () => {
  it('approve a certificate', async () => {
    const request = { metadata: { name: 'csr' }, spec: { signerName: 'acme.com/web', request: '' } };
    const approve = (authorizer: Authorizer) =>
      admit(certificateApproval(authorizer), 'certificates.k8s.io/certificatesigningrequests', request, {
        operation: 'UPDATE',
        subresource: 'approval',
      });
    await expect(approve(allow())).rejects.toThrow(
      'certificatesigningrequests.certificates.k8s.io "csr" is forbidden: user not permitted to approve requests with signerName "acme.com/web"',
    );
    await approve(allow('jane approve signers acme.com/web'));
    await approve(allow('jane approve signers acme.com/*'));
  });

  it('block the deletion of an owner', async () => {
    const owned = {
      metadata: {
        name: 'x',
        namespace: 'shop',
        ownerReferences: [{ apiVersion: 'apps/v1', kind: 'Deployment', name: 'd', uid: 'u', blockOwnerDeletion: true }],
      },
    };
    const create = (authorizer: Authorizer) =>
      admit(
        ownerReferencesPermissionEnforcement({
          authorizer,
          resourceOf: () => ({ resource: 'deployments', namespaced: true }),
        }),
        'configmaps',
        owned,
      );
    await expect(create(allow())).rejects.toThrow(
      'configmaps "x" is forbidden: cannot set blockOwnerDeletion if an ownerReference refers to a resource you can\'t set finalizers on: , <nil>',
    );
    await create(allow('jane update deployments/finalizers d'));
  });
});

describe('NodeRestriction', () => {
  const user = { name: 'system:node:n1', groups: ['system:nodes'] };
  const mounted = [
    { name: 'd', csi: { driver: 'disk.io' } },
    { name: 't', projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    { name: 'v', projected: { sources: [{ serviceAccountToken: { path: 't', audience: 'vault' } }] } },
  ];
  const lookup = new FakeLookup()
    .put('nodes', { kind: 'Node', metadata: { name: 'n1', uid: 'n' } })
    .put('csidrivers', { metadata: { name: 'disk.io' }, spec: { tokenRequests: [{ audience: 'disk' }] } })
    .put('pods', pod({ nodeName: 'n1', volumes: mounted }, { uid: 'u1' }))
    .put('pods', pod({ nodeName: 'n2' }, { name: 'other', uid: 'u2' }));
  const step = nodeRestriction(lookup, allow('system:node:n1 request-serviceaccounts-token-audience registry default'));
  const node = (name: string, change: object = {}) => ({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, ...change },
  });

  it('keeps a kubelet to its own Node and the labels it may set', async () => {
    await admit(
      step,
      'nodes',
      node('n1', { labels: { 'kubernetes.io/hostname': 'n1', mine: 'x', 'node.kubernetes.io/x': 'y' } }),
      { user },
    );
    await expect(admit(step, 'nodes', node('n2'), { user })).rejects.toThrow(
      'nodes "n2" is forbidden: node "n1" is not allowed to modify node "n2"',
    );
    await expect(
      admit(
        step,
        'nodes',
        node('n1', {
          labels: { 'node-role.kubernetes.io/control-plane': '', 'node-restriction.kubernetes.io/x': 'y' },
        }),
        { user },
      ),
    ).rejects.toThrow(
      'node "n1" is not allowed to set the following labels: node-restriction.kubernetes.io/x, node-role.kubernetes.io/control-plane',
    );
    const tainted = { ...node('n1'), spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } };
    await expect(
      admit(step, 'nodes', node('n1'), { user, operation: 'UPDATE', oldObject: tainted as never }),
    ).rejects.toThrow('node "n1" is not allowed to modify taints');
    await admit(step, 'nodes', node('n2'));
  });

  it('lets it bind tokens to its own pods and create mirror pods alone', async () => {
    const token = (name: string, uid: string, ...audiences: string[]) =>
      admit(
        step,
        'serviceaccounts',
        {
          metadata: { name: 'default', namespace: 'shop' },
          spec: { audiences, boundObjectRef: { kind: 'Pod', apiVersion: 'v1', name, uid } },
        },
        { user, subresource: 'token', name: 'default' },
      );
    await token('web', 'u1');
    for (const audience of ['vault', 'disk', 'registry']) await token('web', 'u1', audience);
    await expect(token('web', 'u1', 'else')).rejects.toThrow(
      'audience "else" not found in pod spec volume, system:node:n1 is not authorized to request tokens for this audience',
    );
    await expect(token('web', 'u1', 'vault', 'disk')).rejects.toThrow('node may only request 0 or 1 audiences');
    await expect(token('gone', 'u1')).rejects.toThrow('pods "gone" not found');
    await expect(token('other', 'u2')).rejects.toThrow(
      'node requested token bound to a pod scheduled on a different node',
    );
    await expect(token('web', 'u9')).rejects.toThrow(/does not match the UID in record/);
    await expect(admit(step, 'pods', pod({ nodeName: 'n1' }), { user })).rejects.toThrow(
      'node "n1" can only create mirror pods',
    );
    const mirror = {
      annotations: { 'kubernetes.io/config.mirror': 'x' },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: 'n1', uid: 'n', controller: true }],
    };
    await admit(step, 'pods', pod({ nodeName: 'n1' }, mirror), { user });
    const owner = mirror.ownerReferences[0]!;
    for (const [owners, why] of [
      [[], 'node "n1" can only create pods with an owner reference set to itself'],
      [[owner, owner], 'node "n1" can only create pods with a single owner reference set to itself'],
      [
        [{ ...owner, controller: false }],
        'node "n1" can only create pods with a controller owner reference set to itself',
      ],
      [[{ ...owner, blockOwnerDeletion: true }], 'node "n1" must not set blockOwnerDeletion on an owner reference'],
      [[{ ...owner, uid: 'm' }], 'node n1 UID mismatch: expected m got n'],
    ] as const)
      await expect(
        admit(step, 'pods', pod({ nodeName: 'n1' }, { ...mirror, ownerReferences: owners }), { user }),
      ).rejects.toThrow(why);
    await expect(
      admit(step, 'pods', pod({ nodeName: 'n1', volumes: [{ name: 's', secret: { secretName: 's' } }] }, mirror), {
        user,
      }),
    ).rejects.toThrow('can not create pods that reference secrets');
    const fromTemplate = { nodeName: 'n1', resourceClaims: [{ name: 'gpu', resourceClaimTemplateName: 't' }] };
    await expect(admit(step, 'pods', pod(fromTemplate, mirror), { user })).rejects.toThrow(
      'node "n1" can not create pods that reference resourceclaims',
    );
    const status = (nodeName: string) =>
      admit(step, 'pods', pod({ nodeName }), {
        user,
        operation: 'UPDATE',
        subresource: 'status',
        oldObject: pod({ nodeName }) as never,
      });
    await status('n1');
    await expect(status('n2')).rejects.toThrow('can only update pod status for pods with spec.nodeName set to itself');
  });
});

describe('PluginConfiguration', () => {
  const step = pluginConfiguration(allow('admin configure plugins auth'));
  const admin = { name: 'admin', groups: [] };
  const STAMP = 'plugins.k8ts.dev/configured-by';
  const config = (options: string, annotations?: object, plugin = 'auth') => ({
    metadata: { name: 'c', namespace: 'default', ...(annotations ? { annotations } : {}) },
    data: { 'x-plugin-config': `plugin: ${plugin}\noptions:\n  option1: ${options}\n`, other: 'y' },
  });
  const stampOf = (outcome: { object: { metadata: { annotations?: Record<string, string> } } }) =>
    outcome.object.metadata.annotations?.[STAMP];

  it('stamps what an authorized writer configures, and warns everybody else', async () => {
    const accepted = await admit(step, 'configmaps', config('a'), { user: admin });
    expect(stampOf(accepted)).toBe('admin');
    expect(accepted.warnings).toEqual([]);
    const refused = await admit(step, 'configmaps', config('a', { [STAMP]: 'admin' }));
    expect(refused.object.metadata.annotations).toBeUndefined();
    expect(refused.warnings).toEqual([
      'x-plugin-config is stored as plain data and does not configure plugin "auth": user "jane" may not "configure" "auth" of plugins.k8ts.dev',
    ]);
    expect(
      (
        await admit(step, 'configmaps', {
          metadata: { name: 'c', namespace: 'default', annotations: { [STAMP]: 'admin' } },
          data: { a: 'b' },
        })
      ).object.metadata.annotations,
    ).toBeUndefined();
  });

  it('lets the stamp stay while the configuration stays, and neither forge nor inherit it', async () => {
    const stamped = config('a', { [STAMP]: 'admin' });
    const update = (object: object, oldObject: object, user = { name: 'jane', groups: [] as string[] }) =>
      admit(step, 'configmaps', object, { operation: 'UPDATE', oldObject: oldObject as never, user });
    expect(stampOf(await update(config('a', { note: 'x' }), stamped))).toBe('admin');
    expect(stampOf(await update(config('evil', { [STAMP]: 'admin' }), stamped))).toBeUndefined();
    expect(stampOf(await update(config('b'), stamped, admin))).toBe('admin');
    // An admin who labels somebody else's plain data does not vouch for it.
    expect(stampOf(await update(config('evil', { note: 'x' }), config('evil'), admin))).toBeUndefined();
    const broken = { ...config('a'), data: { 'x-plugin-config': 'plugin: [' } };
    const kept = await update(broken, stamped, admin);
    expect(stampOf(kept)).toBe('admin');
    expect(kept.warnings[0]).toMatch(/^x-plugin-config configures no plugin: it is not YAML/);
    expect(stampOf(await update(broken, stamped))).toBeUndefined();
  });
});
