import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  Subject,
} from '../../../api/types/rbac.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import type { KubeList } from '../../../apimachinery/meta.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import type { Transport } from '../../../apimachinery/transport.ts';
import {
  defaultClusterRoleBindings,
  defaultClusterRoles,
  defaultRoleBindings,
  defaultRoles,
} from './bootstrap-policy.ts';
import { compactRights, missingRights } from './rule-coverage.ts';

type PolicyObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding;

const RBAC_PATH = '/apis/rbac.authorization.k8s.io/v1';
const AUTOUPDATE = 'rbac.authorization.kubernetes.io/autoupdate';

/**
 * Makes the default roles and bindings exist with at least their default rules and subjects. What a user added stays;
 * an object whose autoupdate annotation is `false` is left alone, a binding to another role made anew. One list per kind; writes only what is missing.
 */
export async function ensureBootstrapPolicy(transport: Transport): Promise<void> {
  await Promise.all([
    reconcileAll(transport, 'clusterroles', defaultClusterRoles(), reconcileRole),
    reconcileAll(transport, 'clusterrolebindings', defaultClusterRoleBindings(), reconcileBinding),
    ensureNamespaces(transport, ['kube-system', 'kube-public']).then(() =>
      Promise.all([
        reconcileAll(transport, 'roles', defaultRoles(), reconcileRole),
        reconcileAll(transport, 'rolebindings', defaultRoleBindings(), reconcileBinding),
      ]),
    ),
  ]);
}

async function reconcileAll<T extends PolicyObject>(
  transport: Transport,
  resource: string,
  wanted: readonly T[],
  reconcile: (existing: T, wanted: T) => T | undefined,
): Promise<void> {
  const { body } = await transport.request<KubeList<T>>({ method: 'GET', path: `${RBAC_PATH}/${resource}` });
  const existing = new Map(body.items.map((object) => [keyOf(object), object]));
  await Promise.all(
    wanted.map(async (object) => {
      const found = existing.get(keyOf(object));
      if (!found) return create(transport, resource, object, reconcile);
      await update(transport, resource, found, object, reconcile);
    }),
  );
}

async function create<T extends PolicyObject>(
  transport: Transport,
  resource: string,
  object: T,
  reconcile: (existing: T, wanted: T) => T | undefined,
): Promise<void> {
  try {
    await transport.request({ method: 'POST', path: collectionPath(resource, object), body: object });
  } catch (error) {
    if (!isStatusError(error, 'AlreadyExists')) throw error;
    const { body } = await transport.request<T>({ method: 'GET', path: objectPath(resource, object) });
    await update(transport, resource, body, object, reconcile);
  }
}

async function update<T extends PolicyObject>(
  transport: Transport,
  resource: string,
  found: T,
  wanted: T,
  reconcile: (existing: T, wanted: T) => T | undefined,
): Promise<void> {
  let existing = found;
  for (let attempt = 0; ; attempt++) {
    if (existing.metadata.annotations?.[AUTOUPDATE] === 'false') return;
    // What a binding refers to can't be changed.
    if ('roleRef' in wanted && !deepEqual((existing as RoleBinding).roleRef, wanted.roleRef)) {
      await transport.request({ method: 'DELETE', path: objectPath(resource, wanted) });
      await transport.request({ method: 'POST', path: collectionPath(resource, wanted), body: wanted });
      return;
    }
    const changed = reconcile(existing, wanted);
    if (!changed) return;
    try {
      await transport.request({ method: 'PUT', path: objectPath(resource, wanted), body: changed });
      return;
    } catch (error) {
      if (attempt >= 5 || !isStatusError(error, 'Conflict')) throw error;
      existing = (await transport.request<T>({ method: 'GET', path: objectPath(resource, wanted) })).body;
    }
  }
}

function reconcileRole<T extends Role | ClusterRole>(existing: T, wanted: T): T | undefined {
  const metadata = withDefaults(existing, wanted);
  const aggregation = (wanted as ClusterRole).aggregationRule;
  const rules = aggregation ? existing.rules : addMissingRules(existing.rules ?? [], wanted.rules ?? []);
  const sameAggregation = sameJSON((existing as ClusterRole).aggregationRule, aggregation);
  if (!metadata && rules === existing.rules && sameAggregation) return undefined;
  return {
    ...existing,
    ...(metadata ? { metadata } : {}),
    ...(rules ? { rules } : {}),
    ...(aggregation ? { aggregationRule: aggregation } : {}),
  };
}

function addMissingRules(existing: readonly PolicyRule[], wanted: readonly PolicyRule[]): readonly PolicyRule[] {
  if (sameJSON(existing, wanted)) return existing;
  const missing = compactRights(missingRights(existing, wanted));
  return missing.length ? [...existing, ...missing] : existing;
}

function reconcileBinding<T extends RoleBinding | ClusterRoleBinding>(existing: T, wanted: T): T | undefined {
  const metadata = withDefaults(existing, wanted);
  const known = existing.subjects ?? [];
  const missing = (wanted.subjects ?? []).filter(
    (subject) => !known.some((candidate) => sameSubject(candidate, subject)),
  );
  if (!metadata && missing.length === 0) return undefined;
  return {
    ...existing,
    ...(metadata ? { metadata } : {}),
    ...(missing.length ? { subjects: [...known, ...missing] } : {}),
  };
}

/** The metadata with the default labels and annotations added where they are absent; undefined when none is. */
function withDefaults(existing: PolicyObject, wanted: PolicyObject): PolicyObject['metadata'] | undefined {
  const labels = { ...wanted.metadata.labels, ...existing.metadata.labels };
  const annotations = { ...wanted.metadata.annotations, ...existing.metadata.annotations };
  const sameSize = (a: object, b: object | undefined) => Object.keys(a).length === Object.keys(b ?? {}).length;
  if (sameSize(labels, existing.metadata.labels) && sameSize(annotations, existing.metadata.annotations))
    return undefined;
  return { ...existing.metadata, labels, annotations };
}

async function ensureNamespaces(transport: Transport, names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      try {
        await transport.request({ method: 'GET', path: `/api/v1/namespaces/${name}` });
      } catch (error) {
        if (!isStatusError(error, 'NotFound')) throw error;
        try {
          await transport.request({
            method: 'POST',
            path: '/api/v1/namespaces',
            body: { apiVersion: 'v1', kind: 'Namespace', metadata: { name } },
          });
        } catch (raced) {
          if (!isStatusError(raced, 'AlreadyExists')) throw raced;
        }
      }
    }),
  );
}

const keyOf = (object: PolicyObject) => `${object.metadata.namespace ?? ''}/${object.metadata.name}`;
const sameSubject = (a: Subject, b: Subject) =>
  a.kind === b.kind && a.name === b.name && (a.namespace ?? '') === (b.namespace ?? '');

function sameJSON(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null);
}

function collectionPath(resource: string, object: PolicyObject): string {
  const { namespace } = object.metadata;
  return namespace ? `${RBAC_PATH}/namespaces/${namespace}/${resource}` : `${RBAC_PATH}/${resource}`;
}

const objectPath = (resource: string, object: PolicyObject) =>
  `${collectionPath(resource, object)}/${encodeURIComponent(object.metadata.name)}`;
