import type {
  AllocatedDeviceStatus,
  ResourceClaim,
  ResourceClaimSpec,
  ResourceClaimTemplate,
} from '../../api/types/resource.v1.gen.ts';
import { deepEqual } from '../../apimachinery/deep-equal.ts';
import { type FieldError, FieldPath, forbiddenField } from '../../apimachinery/field.ts';
import { invalid } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { UserInfo } from '../../sdk/user.ts';
import { NODE_NAME } from '../authentication/service-account-claims.ts';
import { accessDenied } from '../authorization/access-denied.ts';
import { type AdmissionLookup, find } from './lookup.ts';
import { isFor } from './rejection.ts';

const GROUP = 'resource.k8s.io';
const ADMIN_LABEL = 'resource.kubernetes.io/admin-access';

/**
 * Devices that others use may be asked for in namespaces labelled for that; which devices a claim gets is for schedulers
 * to say, and how those are doing for their drivers: each needs a permission of its own besides that for the status.
 */
export function deviceClaimAccess(lookup: AdmissionLookup, authorizer: Authorizer): AdmissionStep {
  const checkNamespace = async (namespace: string, path: FieldPath | undefined): Promise<FieldError[]> => {
    if (!path) return [];
    const found = await find(lookup, 'namespaces', namespace);
    if (found?.metadata.labels?.[ADMIN_LABEL] === 'true') return [];
    return [
      forbiddenField(
        path,
        `admin access to devices requires the \`${ADMIN_LABEL}: true\` label on the containing namespace`,
      ),
    ];
  };
  const errorsOf = async (attributes: AdmissionAttributes, object: unknown): Promise<FieldError[]> => {
    const { namespace } = attributes;
    if (attributes.resource.resource === 'resourceclaimtemplates')
      return checkNamespace(namespace, askedFor((object as ResourceClaimTemplate).spec?.spec));
    const claim = object as ResourceClaim;
    if (attributes.operation === 'CREATE') return checkNamespace(namespace, askedFor(claim.spec));
    const old = attributes.oldObject as unknown as ResourceClaim;
    return [
      ...(granted(old) ? [] : await checkNamespace(namespace, granted(claim))),
      ...(await mayBind(authorizer, attributes, claim, old)),
      ...(await mayReport(authorizer, attributes, claim, old)),
    ];
  };
  return {
    name: 'DeviceClaimAccess',
    handles: (attributes) =>
      attributes.operation === 'CREATE'
        ? isFor(attributes, GROUP, 'resourceclaims') || isFor(attributes, GROUP, 'resourceclaimtemplates')
        : attributes.operation === 'UPDATE' && isFor(attributes, GROUP, 'resourceclaims', 'status'),
    async validate(attributes, object) {
      const errors = await errorsOf(attributes, object);
      const { name = '', generateName = '' } = object?.metadata ?? {};
      if (errors.length) throw invalid({ group: GROUP, kind: attributes.kind.kind }, name || generateName, errors);
    },
  };
}

/** Where a claim asks for admin access; the first place. */
function askedFor(spec: ResourceClaimSpec | undefined): FieldPath | undefined {
  const index = (spec?.devices?.requests ?? []).findIndex(({ exactly }) => exactly?.adminAccess);
  return index < 0 ? undefined : FieldPath.of('spec', 'devices', 'requests').index(index).child('adminAccess');
}

/** Where a claim has been given it. */
function granted({ status }: ResourceClaim): FieldPath | undefined {
  const index = (status?.allocation?.devices?.results ?? []).findIndex(({ adminAccess }) => adminAccess);
  const path = FieldPath.of('status', 'allocation', 'devices', 'results');
  return index < 0 ? undefined : path.index(index).child('adminAccess');
}

/** `undefined` when allowed, else why not. */
async function denial(
  authorizer: Authorizer,
  { user, resource }: AdmissionAttributes,
  asked: { readonly verb: string; readonly subresource: string; readonly namespace?: string; readonly name?: string },
): Promise<string | undefined> {
  const attributes = {
    ...{ user, resourceRequest: true, group: GROUP, version: resource.version, resource: 'resourceclaims' },
    ...{ path: '', namespace: '', name: '' },
    ...asked,
  };
  const { decision, reason } = await authorizer.authorize(attributes);
  return decision === 'allow' ? undefined : accessDenied(attributes, reason).message;
}

const verbOf = ({ options }: AdmissionAttributes) => (options.kind === 'PatchOptions' ? 'patch' : 'update');

async function mayBind(
  authorizer: Authorizer,
  attributes: AdmissionAttributes,
  { status: now = {} }: ResourceClaim,
  { status: was = {} }: ResourceClaim,
): Promise<FieldError[]> {
  if (deepEqual(now.allocation, was.allocation) && deepEqual(now.reservedFor ?? [], was.reservedFor ?? [])) return [];
  const verb = verbOf(attributes);
  const why = await denial(authorizer, attributes, { verb, subresource: 'binding' });
  if (why === undefined) return [];
  return [
    forbiddenField(
      FieldPath.of('status'),
      `changing status.allocation or status.reservedFor requires resource="resourceclaims/binding", verb="${verb}" permission: ${why}`,
    ),
  ];
}

/** Whoever runs on the node that the devices are on needs less than others do. */
async function mayReport(
  authorizer: Authorizer,
  attributes: AdmissionAttributes,
  claim: ResourceClaim,
  old: ResourceClaim,
): Promise<FieldError[]> {
  const drivers = changedDrivers(claim.status?.devices ?? [], old.status?.devices ?? []);
  if (drivers.length === 0) return [];
  const verb = verbOf(attributes);
  const node = nodeOf(claim);
  const near = node !== undefined && node === serviceAccountNode(attributes.user);
  const verbs = [...(near ? [`associated-node:${verb}`] : []), `arbitrary-node:${verb}`];
  const errors: FieldError[] = [];
  for (const name of drivers) {
    const asked = { subresource: 'driver', namespace: attributes.namespace, name };
    let first: string | undefined;
    let allowed = false;
    for (const each of verbs) {
      const why = await denial(authorizer, attributes, { ...asked, verb: each });
      allowed = why === undefined;
      if (allowed) break;
      first ??= why;
    }
    if (!allowed)
      errors.push(
        forbiddenField(
          FieldPath.of('status', 'devices'),
          `changing status.devices requires resource="resourceclaims/driver", verb="[${verbs.join(' ')}]" permission: ${first}`,
        ),
      );
  }
  return errors;
}

/** Drivers of devices of which more, less or something else is said; sorted. */
function changedDrivers(now: readonly AllocatedDeviceStatus[], was: readonly AllocatedDeviceStatus[]): string[] {
  const key = ({ driver, pool, device, shareID = '' }: AllocatedDeviceStatus) =>
    JSON.stringify([driver, pool, device, shareID]);
  const before = new Map(was.map((device) => [key(device), device]));
  const changed = now.filter((device) => {
    const known = before.get(key(device));
    before.delete(key(device));
    return !known || !deepEqual(known, device);
  });
  return [...new Set([...changed, ...before.values()].map(({ driver }) => driver))].sort();
}

/** The node that a claim's devices are bound to; `undefined` when they are not bound to one. */
function nodeOf({ status }: ResourceClaim): string | undefined {
  const [term, ...more] = status?.allocation?.nodeSelector?.nodeSelectorTerms ?? [];
  const [field, ...others] = term?.matchFields ?? [];
  if (!field || more.length || others.length || term?.matchExpressions?.length) return undefined;
  const byName = field.key === 'metadata.name' && field.operator === 'In' && field.values?.length === 1;
  return byName ? field.values?.[0] : undefined;
}

function serviceAccountNode({ name, extra }: UserInfo): string | undefined {
  const nodes = extra?.[NODE_NAME] ?? [];
  return /^system:serviceaccount:[^:]+:[^:]+$/.test(name) && nodes.length === 1 ? nodes[0] : undefined;
}
