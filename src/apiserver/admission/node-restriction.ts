import { isDeepStrictEqual } from 'node:util';
import type { TokenRequest } from '../../api/types/authentication.v1.gen.ts';
import type { Node, PersistentVolumeClaim, Pod } from '../../api/types/core.v1.gen.ts';
import type { ResourceSlice } from '../../api/types/resource.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { notFound } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { nodeNameOf } from '../authorization/node/node-authorizer.ts';
import { podReferences } from '../authorization/node/pod-references.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { nodeLabelChanges } from './node-labels.ts';
import { refusedAudience } from './node-token-audience.ts';
import { quote, rejected } from './rejection.ts';

const MIRROR = 'kubernetes.io/config.mirror';

interface NodeRequest {
  readonly attributes: AdmissionAttributes;
  readonly object: UnstructuredObject | undefined;
  readonly nodeName: string;
  readonly lookup: AdmissionLookup;
  readonly authorizer: Authorizer;
  reject(why: string): never;
}

/** Keeps a kubelet to its own Node, its own pods and what they need. The node authorizer says what it may touch, this step how. */
export function nodeRestriction(lookup: AdmissionLookup, authorizer: Authorizer): AdmissionStep {
  return {
    name: 'NodeRestriction',
    handles: ({ user, resource }) =>
      CHECKS[`${resource.group}/${resource.resource}`] !== undefined && nodeNameOf(user) !== undefined,
    async validate(attributes, object) {
      const nodeName = nodeNameOf(attributes.user)!;
      const reject = (why: string): never => {
        throw rejected(attributes, object ?? attributes.oldObject, why);
      };
      if (nodeName === '') reject(`could not determine node from user ${quote(attributes.user.name)}`);
      const { resource } = attributes;
      await CHECKS[`${resource.group}/${resource.resource}`]!({
        attributes,
        object,
        nodeName,
        lookup,
        authorizer,
        reject,
      });
    },
  };
}

const CHECKS: Readonly<Record<string, (request: NodeRequest) => void | Promise<void>>> = {
  '/pods': checkPod,
  '/nodes': checkNode,
  '/persistentvolumeclaims': checkClaim,
  '/serviceaccounts': checkToken,
  'coordination.k8s.io/leases': checkLease,
  'storage.k8s.io/csinodes': checkCSINode,
  'resource.k8s.io/resourceslices': checkResourceSlice,
};

async function checkPod(request: NodeRequest): Promise<void> {
  const { attributes, object, nodeName, lookup, reject } = request;
  const { operation, subresource } = attributes;
  if (subresource === 'status') {
    if (operation !== 'UPDATE') reject(`unexpected operation ${quote(operation)}`);
    const pod = attributes.oldObject as unknown as Pod;
    if (pod.spec.nodeName !== nodeName)
      reject(`node ${quote(nodeName)} can only update pod status for pods with spec.nodeName set to itself`);
    if (!isDeepStrictEqual(pod.metadata.labels ?? {}, object?.metadata.labels ?? {}))
      reject(`node ${quote(nodeName)} cannot update labels through pod status`);
    const claims = (of: Pod) => of.status?.resourceClaimStatuses ?? [];
    if (!isDeepStrictEqual(claims(pod), claims(object as unknown as Pod)))
      reject(`node ${quote(nodeName)} cannot update resource claim statues`);
    const extended = (of: Pod) => of.status?.extendedResourceClaimStatus ?? {};
    if (!isDeepStrictEqual(extended(pod), extended(object as unknown as Pod)))
      reject(`node ${quote(nodeName)} cannot update extended resource claim status`);
    return;
  }
  if (subresource === 'eviction') {
    if (operation !== 'CREATE') reject(`unexpected operation ${operation}`);
    const name = attributes.name || object?.metadata.name || '';
    const pod = await find(lookup, 'pods', name, attributes.namespace);
    if (!pod) throw notFound({ group: '', resource: 'pods' }, name);
    if (pod.spec.nodeName !== nodeName) reject(`node ${nodeName} can only evict pods with spec.nodeName set to itself`);
    return;
  }
  if (subresource !== '')
    reject(`unexpected pod subresource ${quote(subresource)}, only 'status' and 'eviction' are allowed`);
  if (operation === 'CREATE') checkMirrorPod(request, object as unknown as Pod);
  else if (operation === 'DELETE') {
    const pod = attributes.oldObject as unknown as Pod | undefined;
    if (pod && pod.spec.nodeName !== nodeName)
      reject(`node ${quote(nodeName)} can only delete pods with spec.nodeName set to itself`);
  } else
    reject(`unexpected operation ${quote(operation)}, node ${quote(nodeName)} can only create and delete mirror pods`);
}

function checkMirrorPod({ nodeName, reject, lookup }: NodeRequest, pod: Pod): void {
  const who = quote(nodeName);
  if (pod.metadata.annotations?.[MIRROR] === undefined)
    reject(`pod does not have ${quote(MIRROR)} annotation, node ${who} can only create mirror pods`);
  if (pod.spec.nodeName !== nodeName) reject(`node ${who} can only create pods with spec.nodeName set to itself`);
  const owners = pod.metadata.ownerReferences ?? [];
  if (owners.length > 1) reject(`node ${who} can only create pods with a single owner reference set to itself`);
  if (owners.length === 0) reject(`node ${who} can only create pods with an owner reference set to itself`);
  const owner = owners[0]!;
  if (owner.apiVersion !== 'v1' || owner.kind !== 'Node' || owner.name !== nodeName)
    reject(`node ${who} can only create pods with an owner reference set to itself`);
  if (owner.controller !== true)
    reject(`node ${who} can only create pods with a controller owner reference set to itself`);
  if (owner.blockOwnerDeletion) reject(`node ${who} must not set blockOwnerDeletion on an owner reference`);
  const node = lookup.get('nodes', nodeName);
  if (!node) throw notFound({ group: '', resource: 'nodes' }, nodeName);
  if (node.metadata.uid !== owner.uid)
    reject(`node ${nodeName} UID mismatch: expected ${owner.uid} got ${node.metadata.uid}`);
  if (pod.spec.serviceAccountName) reject(`node ${who} can not create pods that reference a service account`);
  const references = podReferences({ ...pod, metadata: { ...pod.metadata, annotations: {} } });
  const projects = (source: 'clusterTrustBundle' | 'podCertificate') =>
    pod.spec.volumes?.some(({ projected }) => projected?.sources?.some((from) => from[source] !== undefined));
  const uses = (resource: string) => references.some((reference) => reference.startsWith(`${resource}/`));
  const refused = [
    uses('secrets') && 'secrets',
    uses('configmaps') && 'configmaps',
    projects('clusterTrustBundle') && 'clustertrustbundles',
    projects('podCertificate') && 'podcertificates',
    uses('persistentvolumeclaims') && 'persistentvolumeclaims',
    // Of a template too, which names no claim yet.
    pod.spec.resourceClaims?.length && 'resourceclaims',
  ].find(Boolean);
  if (refused) reject(`node ${who} can not create pods that reference ${refused}`);
}

function checkNode({ attributes, object, nodeName, reject }: NodeRequest): void {
  const { operation } = attributes;
  const name = attributes.name || object?.metadata.name || '';
  const who = `node ${quote(nodeName)} is not allowed to`;
  if (name !== nodeName) reject(`${who} modify node ${quote(name)}`);
  const node = object as unknown as Node | undefined;
  if (operation === 'CREATE') {
    const forbiddenLabels = nodeLabelChanges({}, node?.metadata.labels ?? {});
    if (forbiddenLabels.length) reject(`${who} set the following labels: ${forbiddenLabels.join(', ')}`);
    return;
  }
  if (operation !== 'UPDATE') return;
  const old = attributes.oldObject as unknown as Node;
  if (!isDeepStrictEqual(old.spec?.taints ?? [], node?.spec?.taints ?? [])) reject(`${who} modify taints`);
  const changed = nodeLabelChanges(old.metadata.labels ?? {}, node?.metadata.labels ?? {});
  if (changed.length) reject(`is not allowed to modify labels: ${changed.join(', ')}`);
  if (!isDeepStrictEqual(old.metadata.ownerReferences ?? [], node?.metadata.ownerReferences ?? []))
    reject(`${who} modify ownerReferences`);
}

function checkClaim({ attributes, object, nodeName, reject }: NodeRequest): void {
  const { operation, subresource } = attributes;
  if (subresource !== 'status') reject('may only update PVC status');
  if (operation !== 'UPDATE') reject(`unexpected operation ${quote(operation)}`);
  const strip = (claim: PersistentVolumeClaim) => {
    const {
      capacity: _,
      conditions: __,
      allocatedResources: ___,
      allocatedResourceStatuses: ____,
      ...status
    } = claim.status ?? {};
    const { managedFields: _____, resourceVersion: ______, ...metadata } = claim.metadata;
    return { ...claim, metadata, status };
  };
  const same = isDeepStrictEqual(
    strip(attributes.oldObject as unknown as PersistentVolumeClaim),
    strip(object as unknown as PersistentVolumeClaim),
  );
  if (!same)
    reject(`node ${quote(nodeName)} is not allowed to update fields other than status.quantity and status.conditions`);
}

async function checkToken({ attributes, object, nodeName, lookup, authorizer, reject }: NodeRequest): Promise<void> {
  if (attributes.operation !== 'CREATE' || attributes.subresource !== 'token') return;
  const { boundObjectRef: bound, audiences } = (object as unknown as TokenRequest).spec;
  if (bound?.kind !== 'Pod' || bound.apiVersion !== 'v1' || !bound.name)
    reject('node requested token not bound to a pod');
  if (!bound!.uid) reject('node requested token with a pod binding without a uid');
  const pod = await find(lookup, 'pods', bound!.name!, attributes.namespace);
  if (!pod) throw notFound({ group: '', resource: 'pods' }, bound!.name!);
  if (pod.metadata.uid !== bound!.uid)
    reject(
      `the UID in the bound object reference (${bound!.uid}) does not match the UID in record. The object might have been deleted and then recreated`,
    );
  if (pod.spec.nodeName !== nodeName) reject('node requested token bound to a pod scheduled on a different node');
  const refused = await refusedAudience(attributes, pod, audiences ?? [], lookup, authorizer);
  if (refused) reject(refused);
}

function checkLease({ attributes, object, nodeName, reject }: NodeRequest): void {
  if (attributes.namespace !== 'kube-node-lease')
    reject(`can only access leases in the "kube-node-lease" system namespace`);
  const name = attributes.operation === 'CREATE' ? object?.metadata.name : attributes.name;
  if (name !== nodeName) reject('can only access node lease with the same name as the requesting node');
}

function checkCSINode({ attributes, object, nodeName, reject }: NodeRequest): void {
  const name = attributes.operation === 'CREATE' ? object?.metadata.name : attributes.name;
  if (name !== nodeName) reject('can only access CSINode with the same name as the requesting node');
}

function checkResourceSlice({ attributes, object, nodeName, reject }: NodeRequest): void {
  const slice = (attributes.operation === 'DELETE' ? attributes.oldObject : object) as unknown as
    | ResourceSlice
    | undefined;
  if (slice && slice.spec.nodeName !== nodeName) {
    reject(
      `can only ${attributes.operation === 'DELETE' ? 'delete' : 'create'} ResourceSlice with the same NodeName as the requesting node`,
    );
  }
}
