import type { ObjectMeta, OwnerReference, UnstructuredObject } from '../../apimachinery/meta.ts';
import { parseApiVersion } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { isFor, quote, rejected } from './rejection.ts';

export interface OwnerReferencesOptions {
  readonly authorizer: Authorizer;
  /** Plural and scope of a kind; undefined when the kind is not served. */
  resourceOf(
    group: string,
    version: string,
    kind: string,
  ): { readonly resource: string; readonly namespaced: boolean } | undefined;
}

/** Owner references let others be deleted along or block a deletion: changing them takes the right to do so. Off by default, as upstream. */
export function ownerReferencesPermissionEnforcement({
  authorizer,
  resourceOf,
}: OwnerReferencesOptions): AdmissionStep {
  const base = { resourceRequest: true, subresource: '', path: '' } as const;
  /** Why it is not allowed, as upstream tells it; undefined when it is. */
  const refusal = async (attributes: Parameters<Authorizer['authorize']>[0]) => {
    const { decision, reason = '' } = await authorizer.authorize(attributes);
    return decision === 'allow' ? undefined : `${reason}, <nil>`;
  };
  return {
    name: 'OwnerReferencesPermissionEnforcement',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') &&
      !isFor(attributes, '', 'pods', 'status'),
    async validate(attributes, object) {
      if (!object) return;
      const { user, resource, subresource, namespace, name } = attributes;
      const before = attributes.oldObject?.metadata.ownerReferences ?? [];
      const after = object.metadata.ownerReferences ?? [];
      if (attributes.operation === 'CREATE' && after.length === 0) return;
      if (attributes.operation === 'UPDATE' && sameReferences(before, after)) return;
      if (attributes.operation === 'UPDATE') {
        const own = {
          ...base,
          user,
          verb: 'delete',
          group: resource.group,
          version: resource.version,
          resource: resource.resource,
          subresource,
          namespace,
          name,
        };
        const why = await refusal(own);
        if (why !== undefined)
          throw rejected(attributes, object, `cannot set an ownerRef on a resource you can't delete: ${why}`);
      }
      for (const reference of newlyBlocking(attributes, object, before)) {
        const { group, version } = parseApiVersion(reference.apiVersion);
        const target = resourceOf(group, version, reference.kind);
        if (!target)
          throw rejected(
            attributes,
            object,
            `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${reference.apiVersion} Kind ${reference.kind}: no matches for kind ${quote(reference.kind)} in version ${quote(reference.apiVersion)}`,
          );
        const finalizers = {
          ...base,
          user,
          verb: 'update',
          group,
          version,
          resource: target.resource,
          subresource: 'finalizers',
          namespace: target.namespaced ? namespace : '',
          name: reference.name,
        };
        const why = await refusal(finalizers);
        if (why !== undefined)
          throw rejected(
            attributes,
            object,
            `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${why}`,
          );
      }
    },
  };
}

function newlyBlocking(
  attributes: AdmissionAttributes,
  object: UnstructuredObject,
  before: readonly OwnerReference[],
): readonly OwnerReference[] {
  const blocking = (references: ObjectMeta['ownerReferences']) =>
    (references ?? []).filter((reference) => reference.blockOwnerDeletion === true);
  if (attributes.operation === 'CREATE') return blocking(object.metadata.ownerReferences);
  const known = new Set(blocking(before).map((reference) => reference.uid));
  return blocking(object.metadata.ownerReferences).filter((reference) => !known.has(reference.uid));
}

function sameReferences(a: readonly OwnerReference[], b: readonly OwnerReference[]): boolean {
  const key = (reference: OwnerReference) =>
    JSON.stringify([
      reference.uid,
      reference.apiVersion,
      reference.kind,
      reference.name,
      reference.controller ?? false,
      reference.blockOwnerDeletion ?? false,
    ]);
  return a.length === b.length && a.every((reference, index) => key(reference) === key(b[index]!));
}
