import { isInScopes } from '../../api/quota/scopes.ts';
import { quotaUsage } from '../../api/quota/usage.ts';
import type { Pod, ResourceQuota } from '../../api/types/core.v1.gen.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { Quantity } from '../../apimachinery/quantity.ts';
import type { ResourceType } from '../../client/client.ts';
import { discover } from '../../client/discovery.ts';
import {
  ConfigMaps,
  PersistentVolumeClaims,
  Pods,
  ReplicationControllers,
  ResourceQuotas,
  Secrets,
  Services,
} from '../../client/resource-types.gen.ts';
import { isPodTerminal } from '../pod-state.ts';
import { type ControllerContext, type ControllerDefinition, defineController, watch } from '../runtime/index.ts';

/** Resources whose objects use more than their own count, or are counted under a bare name. */
const WATCHED = [Pods, Services, PersistentVolumeClaims, ConfigMaps, Secrets, ReplicationControllers] as const;
/** Quotas on objects that are not watched here are counted anew so often. */
const COUNT_EVERY_MS = 5_000;
const FULL_RESYNC_MS = 300_000;

/** Counts what a namespace uses of its quotas. Admission charges in advance; this sets it right. */
export function resourceQuotaController(): ControllerDefinition {
  const quotas = (object: KubeObject, { informer }: ControllerContext) =>
    informer(ResourceQuotas).list(object.metadata.namespace).map(objectKey);
  return defineController({
    name: 'resourcequota-controller',
    watches: [
      watch(ResourceQuotas, { when: ({ type }) => type !== 'delete' }),
      watch(Pods, {
        when: ({ type, object, old }) =>
          type === 'delete' || (old !== undefined && isPodTerminal(object) && !isPodTerminal(old as Pod)),
        keys: quotas,
      }),
      ...WATCHED.slice(1).map((type) =>
        watch(type as ResourceType<KubeObject>, {
          when: (change) => change.type === 'delete' || change.object.kind === 'Service',
          keys: quotas,
        }),
      ),
    ],
    async reconcile({ key }, context) {
      const quota = context.informer(ResourceQuotas).get(key);
      if (!quota) return;
      const names = Object.keys(quota.spec?.hard ?? {});
      const { types, others } = await resourcesFor(names, context);
      const used = new Map(names.map((name) => [name, Quantity.zero]));
      for (const type of types)
        for (const object of await objectsOf(type, quota.metadata.namespace ?? '', context)) {
          if (!isInScopes(quota, type, object)) continue;
          for (const [name, value] of quotaUsage(type, object, context.now())) {
            const sum = used.get(name);
            if (sum) used.set(name, sum.add(value));
          }
        }
      await writeStatus(quota, Object.fromEntries([...used].map(([name, value]) => [name, value.toString()])), context);
      return { requeueAfterMs: others ? COUNT_EVERY_MS : FULL_RESYNC_MS };
    },
  });
}

/** Which resources have to be looked at for these names of a quota. */
async function resourcesFor(
  names: readonly string[],
  context: ControllerContext,
): Promise<{ types: readonly ResourceType<KubeObject>[]; others: boolean }> {
  const types = new Set<ResourceType<KubeObject>>(WATCHED);
  if (names.some((name) => name === 'resourcequotas' || name === 'count/resourcequotas')) types.add(ResourceQuotas);
  const counted = names.flatMap((name) => (name.startsWith('count/') ? [name.slice('count/'.length)] : []));
  const known = new Set([...types].map(({ resource }) => resource));
  const others = counted.filter((name) => !known.has(name));
  if (others.length > 0) {
    const discovery = await discover(context.client, context.signal);
    for (const { type } of discovery.resources)
      if (type.namespaced && others.includes(type.group ? `${type.resource}.${type.group}` : type.resource))
        types.add(type);
  }
  return { types: [...types], others: others.length > 0 };
}

async function objectsOf(
  type: ResourceType<KubeObject>,
  namespace: string,
  context: ControllerContext,
): Promise<readonly KubeObject[]> {
  const informer = context.informers.existing(type);
  if (informer?.synced) return informer.list(namespace);
  return (await context.client.for(type).list({ namespace, resourceVersion: '0' })).items;
}

async function writeStatus(
  quota: ResourceQuota,
  used: Readonly<Record<string, string>>,
  { client }: ControllerContext,
): Promise<void> {
  const hard = quota.spec?.hard ?? {};
  if (sameQuantities(quota.status?.hard, hard) && sameQuantities(quota.status?.used, used)) return;
  await client.for(ResourceQuotas).updateStatus({ ...quota, status: { hard, used } });
}

function sameQuantities(a: Readonly<Record<string, string>> | undefined, b: Readonly<Record<string, string>>): boolean {
  const names = Object.keys(b);
  return (
    a !== undefined &&
    Object.keys(a).length === names.length &&
    names.every((name) => a[name] !== undefined && Quantity.parse(a[name]).cmp(Quantity.parse(b[name] ?? '0')) === 0)
  );
}
