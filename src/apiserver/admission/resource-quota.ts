import { unstatedResources } from '../../api/quota/pod-usage.ts';
import { isInScopes } from '../../api/quota/scopes.ts';
import { quotaUsage, type Usage } from '../../api/quota/usage.ts';
import type { Pod, ResourceQuota } from '../../api/types/core.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { internalError, isStatusError } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { AdmissionLookup } from './lookup.ts';
import { isFor, rejected } from './rejection.ts';

export interface ResourceQuotaOptions {
  readonly lookup: AdmissionLookup;
  /** Replaces the status of a quota; throws the Conflict StatusError when the quota has changed since. */
  updateStatus(quota: ResourceQuota): Promise<ResourceQuota>;
  readonly now?: () => number;
}

const ATTEMPTS = 6;

/**
 * Refuses what would exceed a quota, and charges what is let through to the quota's status before the object is stored,
 * so that two requests at once can't both take the last of it. The quota controller corrects what a failed write leaves charged.
 */
export function resourceQuota({ lookup, updateStatus, now = Date.now }: ResourceQuotaOptions): AdmissionStep {
  /** Quotas as written here, for the cache may not show them yet. */
  const written = new Map<string, ResourceQuota>();
  const queues = new Map<string, Promise<unknown>>();

  function current(quota: ResourceQuota): ResourceQuota {
    const own = written.get(quota.metadata.uid ?? '');
    if (!own) return quota;
    if (Number(own.metadata.resourceVersion) > Number(quota.metadata.resourceVersion)) return own;
    written.delete(quota.metadata.uid ?? '');
    return quota;
  }

  async function charge(attributes: AdmissionAttributes, object: UnstructuredObject): Promise<void> {
    const delta = deltaOf(attributes, object, now());
    const done = new Set<string | undefined>();
    for (let attempt = 0; ; attempt++) {
      const quotas = lookup
        .list('resourcequotas', attributes.namespace)
        .filter(({ metadata }) => !done.has(metadata.uid));
      const pending = check(attributes, object, delta, quotas.map(current));
      if (pending.length === 0 || attributes.dryRun) return;
      try {
        for (const quota of pending) {
          const stored = await updateStatus(quota);
          written.set(stored.metadata.uid ?? '', stored);
          done.add(stored.metadata.uid);
        }
        return;
      } catch (error) {
        if (!isStatusError(error, 'Conflict') || attempt >= ATTEMPTS) throw error;
        await refresh(pending);
      }
    }
  }

  async function refresh(quotas: readonly ResourceQuota[]): Promise<void> {
    for (const { metadata } of quotas) {
      const fresh = await lookup.fetch?.('resourcequotas', metadata.name, metadata.namespace);
      if (fresh) written.set(fresh.metadata.uid ?? '', fresh);
      else written.delete(metadata.uid ?? '');
    }
    if (!lookup.fetch) await new Promise((resolve) => setTimeout(resolve, 10));
  }

  return {
    name: 'ResourceQuota',
    handles: (attributes) => {
      if (attributes.namespace === '' || attributes.resource.resource === 'namespaces') return false;
      if (attributes.operation === 'CREATE') return attributes.subresource === '';
      if (attributes.operation !== 'UPDATE') return false;
      return (
        isFor(attributes, '', 'services') ||
        isFor(attributes, '', 'persistentvolumeclaims') ||
        isFor(attributes, '', 'pods', 'resize')
      );
    },
    async validate(attributes, object) {
      if (!object || lookup.list('resourcequotas', attributes.namespace).length === 0) return;
      const { namespace } = attributes;
      // One after another in a namespace: they would collide on the quotas' resourceVersion.
      const before = queues.get(namespace) ?? Promise.resolve();
      const turn = before.then(() => charge(attributes, object));
      const settled = turn.catch(() => undefined);
      queues.set(namespace, settled);
      try {
        await turn;
      } finally {
        if (queues.get(namespace) === settled) queues.delete(namespace);
      }
    },
  };
}

/** What the request adds; what it gives back is left to the quota controller. */
function deltaOf(attributes: AdmissionAttributes, object: UnstructuredObject, now: number): Usage {
  const after = quotaUsage(attributes.resource, object, now);
  if (attributes.operation !== 'UPDATE') return after;
  const before = quotaUsage(attributes.resource, attributes.oldObject, now);
  const delta = new Map<string, Quantity>();
  for (const [name, value] of after) {
    const more = value.sub(before.get(name) ?? Quantity.zero);
    if (more.sign() > 0) delta.set(name, more);
  }
  return delta;
}

/** The quotas that the request is charged to, with their new status. Throws when one has not enough left. */
function check(
  attributes: AdmissionAttributes,
  object: UnstructuredObject,
  delta: Usage,
  quotas: readonly ResourceQuota[],
): readonly ResourceQuota[] {
  const charged: ResourceQuota[] = [];
  for (const quota of quotas) {
    const hard = quota.status?.hard ?? {};
    const used = quota.status?.used ?? {};
    if (!isInScopes(quota, attributes.resource, object)) continue;
    const isPod = attributes.resource.group === '' && attributes.resource.resource === 'pods';
    if (isPod && attributes.operation === 'CREATE') {
      const unstated = unstatedResources(object as unknown as Pod, Object.keys(hard));
      if (unstated)
        throw rejected(attributes, object, `failed quota: ${quota.metadata.name}: must specify ${unstated}`);
    }
    const names = Object.keys(hard)
      .filter((name) => delta.has(name))
      .sort();
    if (names.length === 0) continue;
    const unknown = names.filter((name) => used[name] === undefined);
    if (unknown.length)
      throw rejected(
        attributes,
        object,
        `status unknown for quota: ${quota.metadata.name}, resources: ${unknown.join(',')}`,
      );
    const after = Object.fromEntries(names.map((name) => [name, sum(used[name]!, delta.get(name)!)]));
    const exceeded = names.filter((name) => after[name]!.cmp(Quantity.parse(hard[name]!)) > 0);
    if (exceeded.length) {
      const show = (value: (name: string) => string) => exceeded.map((name) => `${name}=${value(name)}`).join(',');
      throw rejected(
        attributes,
        object,
        `exceeded quota: ${quota.metadata.name}, requested: ${show((name) => delta.get(name)!.toString())}, used: ${show((name) => used[name]!)}, limited: ${show((name) => hard[name]!)}`,
      );
    }
    charged.push({
      ...quota,
      status: {
        ...quota.status,
        hard,
        used: { ...used, ...Object.fromEntries(names.map((name) => [name, after[name]!.toString()])) },
      },
    });
  }
  return charged;
}

function sum(used: string, more: Quantity): Quantity {
  try {
    return Quantity.parse(used).add(more);
  } catch {
    throw internalError(`quota status holds ${used}, which is no quantity`);
  }
}
