import type { Logger } from '../apimachinery/logger.ts';
import type { KubeObject } from '../apimachinery/meta.ts';
import type { Client, ResourceType } from './client.ts';
import { createInformer, type RunningInformer } from './create-informer.ts';
import type { Informer, InformerFactory } from './informer.ts';

/** Informers shared by resource and selector. Started ones survive everything but `stop`. */
export function createInformerFactory(
  client: Client,
  options: { readonly logger: Logger; readonly silenceMs?: number },
): InformerFactory {
  const informers = new Map<string, RunningInformer<KubeObject>>();
  let started = false;
  let stopped = false;

  const keyOf = (type: ResourceType<KubeObject>, selector: readonly (string | undefined)[]) =>
    JSON.stringify([type.group, type.version, type.resource, ...selector.map((part) => part || '')]);

  return {
    informer<T extends KubeObject>(
      type: ResourceType<T>,
      selector: { namespace?: string; fieldSelector?: string; labelSelector?: string } = {},
    ): Informer<T> {
      if (stopped) throw new Error(`the informer factory is stopped; it has no informer for ${type.resource}`);
      const key = keyOf(type, [selector.namespace, selector.fieldSelector, selector.labelSelector]);
      let informer = informers.get(key) as unknown as RunningInformer<T> | undefined;
      if (!informer) {
        informer = createInformer(client, type, { ...selector, ...options });
        informers.set(key, informer as unknown as RunningInformer<KubeObject>);
        if (started) informer.start();
      }
      return informer;
    },
    existing<T extends KubeObject>(type: ResourceType<T>): Informer<T> | undefined {
      return informers.get(keyOf(type, ['', '', ''])) as unknown as Informer<T> | undefined;
    },
    start() {
      started = true;
      for (const informer of informers.values()) informer.start();
    },
    async whenSynced(signal) {
      await Promise.all([...informers.values()].map((informer) => informer.whenSynced(signal)));
    },
    async stop() {
      stopped = true;
      await Promise.all([...informers.values()].map((informer) => informer.stop()));
    },
  };
}
