import type { ConfigMap, Container, Pod, Secret } from '../api/types/core.v1.gen.ts';
import type { Logger } from '../apimachinery/logger.ts';
import type { KubeObject } from '../apimachinery/meta.ts';
import { notFound } from '../apimachinery/status-error.ts';
import type { Client, ResourceType } from '../client/client.ts';
import type { Informer, InformerFactory } from '../client/informer.ts';
import { createInformerFactory } from '../client/informer-factory.ts';
import { ConfigMaps, Secrets } from '../client/resource-types.gen.ts';
import type { ConfigSource } from './containers/config-source.ts';

/**
 * ConfigMaps and Secrets, watched one by one while a pod of this node refers to them: the Node authorizer allows a kubelet
 * no more than that.
 */
export interface ConfigCache extends ConfigSource {
  register(pod: Pod): void;
  unregister(podUid: string): void;
  stop(): Promise<void>;
}

interface Entry {
  readonly factory: InformerFactory;
  readonly informer: Informer<KubeObject>;
  readonly users: Set<string>;
}

const SYNC_TIMEOUT_MS = 10_000;

/** `onChange` gets the pods that refer to what changed. */
export function createConfigCache({
  client,
  logger,
  onChange,
}: {
  client: Client;
  logger: Logger;
  onChange(podUid: string): void;
}): ConfigCache {
  const entries = new Map<string, Entry>();
  const references = new Map<string, Set<string>>();

  function open(type: ResourceType<KubeObject>, namespace: string, name: string, uid: string): void {
    const key = keyOf(type, namespace, name);
    let entry = entries.get(key);
    if (!entry) {
      const factory = createInformerFactory(client, { logger });
      const informer = factory.informer(type, { namespace, fieldSelector: `metadata.name=${name}` });
      const users = new Set<string>();
      const tell = () => {
        for (const user of users) onChange(user);
      };
      informer.addHandler({ onAdd: (_, initial) => !initial && tell(), onUpdate: tell });
      factory.start();
      entry = { factory, informer, users };
      entries.set(key, entry);
    }
    entry.users.add(uid);
  }

  async function get<T extends KubeObject>(type: ResourceType<T>, namespace: string, name: string): Promise<T> {
    const entry = entries.get(keyOf(type, namespace, name));
    if (!entry) return await client.for(type).get({ namespace, name });
    if (!entry.informer.synced) await entry.informer.whenSynced(AbortSignal.timeout(SYNC_TIMEOUT_MS));
    const object = entry.informer.get(`${namespace}/${name}`);
    if (!object) throw notFound({ group: '', resource: type.resource }, name);
    return object as T;
  }

  function close(key: string, uid: string): void {
    const entry = entries.get(key);
    entry?.users.delete(uid);
    if (!entry || entry.users.size > 0) return;
    entries.delete(key);
    void entry.factory.stop();
  }

  return {
    register(pod) {
      const uid = pod.metadata.uid ?? '';
      const namespace = pod.metadata.namespace ?? 'default';
      const wanted = new Set<string>();
      for (const [type, name] of referencesOf(pod)) {
        wanted.add(keyOf(type, namespace, name));
        open(type, namespace, name, uid);
      }
      for (const key of references.get(uid) ?? []) if (!wanted.has(key)) close(key, uid);
      references.set(uid, wanted);
    },
    unregister(uid) {
      for (const key of references.get(uid) ?? []) close(key, uid);
      references.delete(uid);
    },
    configMap: (namespace, name) => get<ConfigMap>(ConfigMaps, namespace, name),
    secret: (namespace, name) => get<Secret>(Secrets, namespace, name),
    async stop() {
      await Promise.all([...entries.values()].map(({ factory }) => factory.stop()));
      entries.clear();
    },
  };
}

const keyOf = (type: { readonly kind: string }, namespace: string, name: string) => `${type.kind}/${namespace}/${name}`;

/** Everything a pod takes from ConfigMaps and Secrets: env, volumes, pull secrets. */
function* referencesOf(pod: Pod): Iterable<[ResourceType<KubeObject>, string]> {
  const configMap = (name: string | undefined) =>
    name ? [[ConfigMaps as ResourceType<KubeObject>, name] as [ResourceType<KubeObject>, string]] : [];
  const secret = (name: string | undefined) =>
    name ? [[Secrets as ResourceType<KubeObject>, name] as [ResourceType<KubeObject>, string]] : [];
  const { initContainers = [], containers, ephemeralContainers = [] } = pod.spec;
  for (const container of [...initContainers, ...containers, ...(ephemeralContainers as readonly Container[])]) {
    for (const source of container.envFrom ?? []) {
      yield* configMap(source.configMapRef?.name);
      yield* secret(source.secretRef?.name);
    }
    for (const { valueFrom } of container.env ?? []) {
      yield* configMap(valueFrom?.configMapKeyRef?.name);
      yield* secret(valueFrom?.secretKeyRef?.name);
    }
  }
  for (const volume of pod.spec.volumes ?? []) {
    yield* configMap(volume.configMap?.name);
    yield* secret(volume.secret?.secretName);
    for (const source of volume.projected?.sources ?? []) {
      yield* configMap(source.configMap?.name);
      yield* secret(source.secret?.name);
    }
  }
  for (const { name } of pod.spec.imagePullSecrets ?? []) yield* secret(name);
}
