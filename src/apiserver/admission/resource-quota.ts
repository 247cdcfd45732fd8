import { unstatedResources } from '../../api/quota/pod-usage.ts';
import { isInScopes, metScopes, scopesOf } from '../../api/quota/scopes.ts';
import { isQuotaNameOf, quotaUsage, type Usage } from '../../api/quota/usage.ts';
import type { Pod, ResourceQuota } from '../../api/types/core.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import { internalError, isStatusError } from '../../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import { type LimitedResource, limitedNames, uncoveredScopes } from './limited-resources.ts';
import type { AdmissionLookup } from './lookup.ts';
import { failed, isFor, rejected } from './rejection.ts';

export interface ResourceQuotaOptions {
  readonly lookup: AdmissionLookup;
  /** Replaces the status of a quota; throws the Conflict StatusError when the quota has changed since. */
  updateStatus(quota: ResourceQuota): Promise<ResourceQuota>;
  readonly limited?: readonly LimitedResource[];
  readonly now?: () => number;
}

const ATTEMPTS = 6;

/**
 * Refuses what would exceed a quota, and charges what is let through to the quota's status before the object is stored,
 * so that two requests at once can't both take the last of it. The quota controller corrects what a failed write leaves charged.
 */
export function resourceQuota(options: ResourceQuotaOptions): AdmissionStep {
  const { lookup, updateStatus, limited = [], now = Date.now } = options;
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
    const request: QuotaRequest = { attributes, object, ...usageOf(attributes, object, now()) };
    const done = new Set<string | undefined>();
    for (let attempt = 0; ; attempt++) {
      const quotas = lookup
        .list('resourcequotas', attributes.namespace)
        .filter(({ metadata }) => !done.has(metadata.uid));
      const pending = check(request, quotas.map(current), attempt === 0 ? limited : []);
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
      const { resource } = attributes.resource;
      if (attributes.namespace === '' || resource === 'namespaces' || resource === 'events') return false;
      if (attributes.operation === 'CREATE') return attributes.subresource === '';
      if (attributes.operation !== 'UPDATE') return false;
      return (
        isFor(attributes, '', 'services') ||
        isFor(attributes, '', 'persistentvolumeclaims') ||
        isFor(attributes, 'resource.k8s.io', 'resourceclaims') ||
        isFor(attributes, '', 'pods', 'resize')
      );
    },
    async validate(attributes, object) {
      if (!object) return;
      if (limited.length === 0 && lookup.list('resourcequotas', attributes.namespace).length === 0) return;
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

interface QuotaRequest {
  readonly attributes: AdmissionAttributes;
  readonly object: UnstructuredObject;
  readonly usage: Usage;
  /** What it adds; what it gives back is left to the quota controller. */
  readonly delta: Usage;
}

function usageOf(
  attributes: AdmissionAttributes,
  object: UnstructuredObject,
  now: number,
): Pick<QuotaRequest, 'usage' | 'delta'> {
  const usage = quotaUsage(attributes.resource, object, now);
  if (attributes.operation !== 'UPDATE') return { usage, delta: usage };
  const before = quotaUsage(attributes.resource, attributes.oldObject, now);
  const delta = new Map<string, Quantity>();
  for (const [name, value] of usage) {
    const more = value.sub(before.get(name) ?? Quantity.zero);
    if (more.sign() > 0) delta.set(name, more);
  }
  return { usage, delta };
}

/** The quotas that the request is charged to, with their new status. Throws when one has not enough left, or none covers it. */
function check(
  request: QuotaRequest,
  all: readonly ResourceQuota[],
  limited: readonly LimitedResource[],
): readonly ResourceQuota[] {
  const { attributes, object, usage, delta } = request;
  const { resource } = attributes;
  const concerned = all.filter((quota) => isInScopes(quota, resource, object) && namesOf(quota, attributes).length > 0);
  for (const quota of concerned) checkStated(request, quota);
  if (concerned.length === 0 && (limited.length === 0 || delta.size === 0)) return [];
  if (limited.length) {
    const covered = new Set(concerned.flatMap((quota) => namesOf(quota, attributes)));
    const missing = limitedNames(limited, resource, usage).filter((name) => !covered.has(name));
    if (missing.length)
      throw rejected(attributes, object, `insufficient quota to consume: ${missing.sort().join(',')}`);
    const scopes = all.flatMap((quota) => metScopes(resource, object, scopesOf(quota)));
    const open = uncoveredScopes(limited, resource, object, new Set(scopes.map(({ scopeName }) => scopeName)));
    if (open.length) throw failed(`insufficient quota to match these scopes: [${open.join(' ')}]`);
  }
  return concerned.flatMap((quota) => {
    // What has only now come into its scopes is charged whole.
    const isNew = attributes.operation === 'UPDATE' && !isInScopes(quota, resource, attributes.oldObject);
    return chargedQuota(request, quota, isNew ? usage : delta);
  });
}

const namesOf = ({ status }: ResourceQuota, { resource }: AdmissionAttributes): readonly string[] =>
  Object.keys(status?.hard ?? {}).filter((name) => isQuotaNameOf(resource, name));

/** Throws when a pod leaves open what the quota limits, or the quota's usage is not known yet. */
function checkStated({ attributes, object }: QuotaRequest, quota: ResourceQuota): void {
  const names = namesOf(quota, attributes);
  if (attributes.resource.resource === 'pods') {
    const unstated = unstatedResources(object as unknown as Pod, names);
    if (unstated) throw rejected(attributes, object, `failed quota: ${quota.metadata.name}: must specify ${unstated}`);
  }
  if (names.some((name) => quota.status?.used?.[name] === undefined))
    throw rejected(
      attributes,
      object,
      `status unknown for quota: ${quota.metadata.name}, resources: ${names.toSorted().join(',')}`,
    );
}

/** The quota with what it is charged; nothing when that is nothing. */
function chargedQuota(
  { attributes, object }: QuotaRequest,
  quota: ResourceQuota,
  delta: Usage,
): readonly ResourceQuota[] {
  const { hard = {}, used = {} } = quota.status ?? {};
  const names = Object.keys(hard)
    .filter((name) => delta.has(name))
    .sort();
  if (names.length === 0) return [];
  const after = Object.fromEntries(names.map((name) => [name, sum(used[name] ?? '0', delta.get(name)!)]));
  const exceeded = names.filter((name) => after[name]!.cmp(Quantity.parse(hard[name]!)) > 0);
  if (exceeded.length) {
    const show = (value: (name: string) => string) => exceeded.map((name) => `${name}=${value(name)}`).join(',');
    throw rejected(
      attributes,
      object,
      `exceeded quota: ${quota.metadata.name}, requested: ${show((name) => delta.get(name)!.toString())}, used: ${show((name) => used[name] ?? '0')}, limited: ${show((name) => hard[name]!)}`,
    );
  }
  const charges = Object.fromEntries(names.map((name) => [name, after[name]!.toString()]));
  return [{ ...quota, status: { ...quota.status, hard, used: { ...used, ...charges } } }];
}

function sum(used: string, more: Quantity): Quantity {
  try {
    return Quantity.parse(used).add(more);
  } catch {
    throw internalError(`quota status holds ${used}, which is no quantity`);
  }
}
