import type { Pod, PodTemplateSpec } from '../../api/types/core.v1.gen.ts';
import { draft } from '../../apimachinery/json.ts';
import type { KubeObject } from '../../apimachinery/meta.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ResourceType } from '../../client/client.ts';
import { Pods } from '../../client/resource-types.gen.ts';
import { type ControllerContext, controllerReference, type OwnWrites } from '../runtime/index.ts';

/** Creates and deletes the pods of workloads, with the events users know. */
export class PodControl {
  readonly #context: ControllerContext;
  readonly #writes: OwnWrites<Pod>;

  constructor(context: ControllerContext, writes: OwnWrites<Pod>) {
    this.#context = context;
    this.#writes = writes;
  }

  /** Throws what the API said, after an event at the owner. */
  async create(
    key: string,
    owner: KubeObject,
    ownerType: ResourceType<KubeObject>,
    pod: ReturnType<typeof podFromTemplate>,
  ): Promise<Pod> {
    const { client, events } = this.#context;
    try {
      const created = await client.for(Pods).create({
        ...pod,
        metadata: {
          ...pod.metadata,
          namespace: owner.metadata.namespace!,
          ownerReferences: [controllerReference(owner, ownerType)],
        },
      });
      this.#writes.wrote(key, created);
      events.event(owner, 'Normal', 'SuccessfulCreate', `Created pod: ${created.metadata.name}`);
      return created;
    } catch (error) {
      // In a namespace that is going away nothing can be made: no news to anybody.
      const terminating =
        isStatusError(error) && error.status.details?.causes?.some(({ reason }) => reason === 'NamespaceTerminating');
      if (!terminating) events.event(owner, 'Warning', 'FailedCreate', `Error creating: ${(error as Error).message}`);
      throw error;
    }
  }

  async delete(key: string, owner: KubeObject, pod: Pod): Promise<void> {
    const { client, events } = this.#context;
    const { name, namespace, uid } = pod.metadata;
    try {
      await client.for(Pods).delete({ name, namespace: namespace! }, { preconditions: { uid: uid! } });
      this.#writes.deleted(key, pod);
      events.event(owner, 'Normal', 'SuccessfulDelete', `Deleted pod: ${name}`);
    } catch (error) {
      if (isStatusError(error, 'NotFound') || isStatusError(error, 'Conflict')) return;
      events.event(owner, 'Warning', 'FailedDelete', `Error deleting: ${(error as Error).message}`);
      throw error;
    }
  }
}

/** A pod of a template. Names are generated from `prefix` unless the caller gives one afterwards. */
export function podFromTemplate(template: PodTemplateSpec, prefix: string) {
  const { labels, annotations, finalizers } = template.metadata ?? {};
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      generateName: prefix,
      ...(labels ? { labels: { ...labels } } : {}),
      ...(annotations ? { annotations: { ...annotations } } : {}),
      ...(finalizers ? { finalizers: [...finalizers] } : {}),
    } as {
      name?: string;
      generateName?: string;
      labels?: Record<string, string>;
      annotations?: Record<string, string>;
      finalizers?: string[];
    },
    spec: draft(template.spec!),
  };
}
