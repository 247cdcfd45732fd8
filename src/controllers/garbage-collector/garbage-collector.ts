import { apiVersionOf, type KubeObject, type OwnerReference, parseApiVersion } from '../../apimachinery/meta.ts';
import type { DeleteOptions, ResourceType } from '../../client/client.ts';
import { objectPath } from '../../client/create-client.ts';
import { APIServices, CustomResourceDefinitions } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import {
  type ControllerContext,
  type ControllerDefinition,
  defineController,
  TerminalError,
  watch,
} from '../runtime/index.ts';
import {
  createOwnerGraph,
  FOREGROUND_FINALIZER,
  type GraphNode,
  type GraphWork,
  ORPHAN_FINALIZER,
} from './owner-graph.ts';
import { createResourceMonitors } from './resource-monitors.ts';

const SYNC = 'sync';
const DELETE = 'delete ';
const ORPHAN = 'orphan ';
const SYNC_EVERY_MS = 30_000;
const SYNC_POLL_MS = 20;
const ABSENT_LIMIT = 2_000;
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json';

/**
 * Deletes what has lost its last owner, and carries out foreground deletion and orphaning. Before it deletes anything it
 * asks the server about the object and its owners: the graph tells where to look, never what to do.
 */
export function garbageCollector(): ControllerDefinition {
  return defineController({
    name: 'garbage-collector-controller',
    concurrency: 20,
    setup(context) {
      const graph = createOwnerGraph();
      const absent = new Set<string>();
      const enqueue = (work: GraphWork) => {
        for (const uid of work.orphan) context.enqueue(ORPHAN + uid);
        for (const uid of work.attemptToDelete) context.enqueue(DELETE + uid);
        for (const { dependent, reference } of work.invalid) reportInvalid(context, dependent, reference);
      };
      const monitors = createResourceMonitors(context, {
        changed: (object) => enqueue(graph.observe(object)),
        deleted: (object) => {
          const node = graph.get(object.metadata.uid ?? '');
          if (node) rememberAbsent(node);
          enqueue(graph.remove(object.metadata.uid ?? ''));
        },
        vanished: (type) =>
          graph.forget(
            ({ apiVersion, kind }) => kind === type.kind && parseApiVersion(apiVersion).group === type.group,
          ),
      });

      const absentKey = (reference: Pick<OwnerReference, 'kind' | 'name' | 'uid'>, namespace: string | undefined) =>
        `${reference.kind}/${namespace ?? ''}/${reference.name}/${reference.uid}`;
      function rememberAbsent({ identity }: GraphNode): void {
        absent.add(absentKey(identity, identity.namespace));
        if (absent.size > ABSENT_LIMIT)
          for (const oldest of [...absent].slice(0, ABSENT_LIMIT / 2)) absent.delete(oldest);
      }

      async function live(type: ResourceType, name: string, namespace: string | undefined) {
        const path = objectPath(type, { name, namespace: type.namespaced ? namespace : undefined });
        const headers = { accept: METADATA };
        const response = await context.client
          .request<KubeObject>({ method: 'GET', path, headers, signal: context.signal })
          .catch(ignoreNotFound);
        return response?.body;
      }

      function typeOf(reference: { apiVersion: string; kind: string }): ResourceType {
        const type = monitors.typeOf(reference.apiVersion, reference.kind);
        if (!type) throw new Error(`no resource is served for kind ${reference.kind} in ${reference.apiVersion}`);
        return type;
      }

      /** The object of a node as the server has it; undefined, and the node removed, when there is none. */
      async function current(node: GraphNode): Promise<{ type: ResourceType; object: KubeObject } | undefined> {
        const { identity } = node;
        const type = typeOf(identity);
        const misplaced = type.namespaced && !identity.namespace;
        const object = misplaced ? undefined : await live(type, identity.name, identity.namespace);
        if (object && object.metadata.uid === identity.uid) return { type, object };
        const namespace = type.namespaced ? identity.namespace : undefined;
        if (!misplaced) rememberAbsent({ ...node, identity: { ...identity, namespace } });
        enqueue(graph.remove(identity.uid));
        return undefined;
      }

      async function remove(type: ResourceType, object: KubeObject, policy: DeleteOptions['propagationPolicy']) {
        const { name, namespace, uid, resourceVersion } = object.metadata;
        const preconditions = { uid, resourceVersion };
        await context.client
          .for(type)
          .delete({ name, namespace }, { preconditions, propagationPolicy: policy })
          .catch(ignoreNotFound);
      }

      async function patchMetadata(type: ResourceType, object: KubeObject, metadata: object): Promise<void> {
        const { name, namespace, uid, resourceVersion } = object.metadata;
        const body = { metadata: { uid, resourceVersion, ...metadata } };
        await context.client.for(type).patch({ name, namespace }, 'merge', body).catch(ignoreNotFound);
      }
      const withoutFinalizer = (object: KubeObject, finalizer: string) => ({
        finalizers: object.metadata.finalizers?.filter((name) => name !== finalizer) ?? [],
      });

      /** Foreground deletion: the object goes when no dependent blocks it any more. */
      async function finishForeground(node: GraphNode, type: ResourceType, object: KubeObject): Promise<void> {
        const blocking = [...node.dependents].filter((dependent) =>
          dependent.owners.some(({ uid, blockOwnerDeletion }) => uid === node.identity.uid && blockOwnerDeletion),
        );
        if (blocking.length === 0) {
          if (object.metadata.finalizers?.includes(FOREGROUND_FINALIZER))
            await patchMetadata(type, object, withoutFinalizer(object, FOREGROUND_FINALIZER));
          return;
        }
        for (const dependent of blocking)
          if (!dependent.deletingDependents) context.enqueue(DELETE + dependent.identity.uid);
      }

      async function classify(
        reference: OwnerReference,
        object: KubeObject,
      ): Promise<'solid' | 'dangling' | 'waiting'> {
        const { namespace } = object.metadata;
        if (absent.has(absentKey(reference, namespace)) || absent.has(absentKey(reference, undefined)))
          return 'dangling';
        const type = typeOf(reference);
        // Such a reference can't be resolved, and guessing would delete what somebody wants to keep.
        if (type.namespaced && !namespace)
          throw new TerminalError(
            `${object.kind} ${object.metadata.name} is cluster-scoped, but refers to a namespaced owner ${reference.kind} ${reference.name}`,
          );
        const owner = await live(type, reference.name, namespace);
        if (!owner || owner.metadata.uid !== reference.uid) {
          absent.add(absentKey(reference, type.namespaced ? namespace : undefined));
          return 'dangling';
        }
        const waiting = owner.metadata.deletionTimestamp && owner.metadata.finalizers?.includes(FOREGROUND_FINALIZER);
        return waiting ? 'waiting' : 'solid';
      }

      async function attemptToDelete(uid: string): Promise<void> {
        const node = graph.get(uid);
        if (!node || (!node.virtual && node.beingDeleted && !node.deletingDependents)) return;
        const found = await current(node);
        if (!found) return;
        const { type, object } = found;
        if (node.deletingDependents) return finishForeground(node, type, object);
        const references = object.metadata.ownerReferences ?? [];
        if (references.length === 0 || object.metadata.deletionTimestamp) return;
        const states = await Promise.all(references.map((reference) => classify(reference, object)));
        const waiting = states.includes('waiting');
        if (states.includes('solid')) {
          if (states.every((state) => state === 'solid')) return;
          const ownerReferences = references.filter((_, index) => states[index] === 'solid');
          return patchMetadata(type, object, { ownerReferences });
        }
        if (waiting && node.dependents.size > 0) {
          // A circle of owners that wait for each other would never end.
          const circular = [...node.dependents].some((dependent) => dependent.deletingDependents);
          if (circular && references.some(({ blockOwnerDeletion }) => blockOwnerDeletion)) {
            await patchMetadata(type, object, {
              ownerReferences: references.map((reference) => ({ ...reference, blockOwnerDeletion: false })),
            });
            const fresh = await current(node);
            if (fresh) await remove(fresh.type, fresh.object, 'Foreground');
            return;
          }
          return remove(type, object, 'Foreground');
        }
        const { finalizers } = object.metadata;
        if (finalizers?.includes(ORPHAN_FINALIZER)) return remove(type, object, 'Orphan');
        if (finalizers?.includes(FOREGROUND_FINALIZER)) return remove(type, object, 'Foreground');
        return remove(type, object, 'Background');
      }

      async function orphanDependents(uid: string): Promise<void> {
        const node = graph.get(uid);
        if (!node) return;
        for (const dependent of node.dependents) {
          const found = await current(dependent);
          const references = found?.object.metadata.ownerReferences;
          if (!found || !references?.some((reference) => reference.uid === uid)) continue;
          await patchMetadata(found.type, found.object, {
            ownerReferences: references.filter((reference) => reference.uid !== uid),
          });
        }
        const owner = await current(node);
        if (owner?.object.metadata.finalizers?.includes(ORPHAN_FINALIZER))
          await patchMetadata(owner.type, owner.object, withoutFinalizer(owner.object, ORPHAN_FINALIZER));
      }

      const served = () => [SYNC];
      return {
        watches: [watch(CustomResourceDefinitions, { keys: served }), watch(APIServices, { keys: served })],
        initialKeys: [SYNC],
        async reconcile({ key }) {
          if (key === SYNC) {
            await monitors.sync();
            return { requeueAfterMs: SYNC_EVERY_MS };
          }
          // Without all of the graph a dependent might be overlooked, and its owner let go too early.
          if (!monitors.synced) return { requeueAfterMs: SYNC_POLL_MS };
          if (key.startsWith(ORPHAN)) await orphanDependents(key.slice(ORPHAN.length));
          else await attemptToDelete(key.slice(DELETE.length));
        },
        stop: () => monitors.stop(),
      };
    },
  });
}

function reportInvalid({ events }: ControllerContext, { identity }: GraphNode, reference: OwnerReference): void {
  const { apiVersion, kind, name, namespace, uid } = identity;
  const { group, version } = parseApiVersion(reference.apiVersion);
  const owner = `[${apiVersionOf(group, version)}/${reference.kind}, namespace: ${namespace ?? ''}, name: ${reference.name}, uid: ${reference.uid}]`;
  events.event(
    { apiVersion, kind, metadata: { name, namespace, uid } },
    'Warning',
    'OwnerRefInvalidNamespace',
    `ownerRef ${owner} does not exist in namespace "${namespace ?? ''}"`,
  );
}
