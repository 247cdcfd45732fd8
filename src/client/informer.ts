import type { KubeObject } from '../apimachinery/meta.ts';
import type { ResourceType } from './client.ts';

/**
 * A local, indexed, always current copy of a resource. Survives reconnects, 410 Gone, server restarts and clock jumps;
 * never goes silent: it retries with backoff until it is stopped.
 */
export interface Informer<T extends KubeObject> {
  readonly type: ResourceType<T>;
  /** True after the first full list. */
  readonly synced: boolean;
  /** Resolves when `synced`. */
  whenSynced(signal?: AbortSignal): Promise<void>;
  /** By `namespace/name`, or `name` when cluster-scoped (`objectKey`). Objects are shared: never change them. */
  get(key: string): T | undefined;
  list(namespace?: string): readonly T[];
  readonly size: number;
  /** Objects whose index function gave `value`; the index must have been added with `addIndex`. */
  byIndex(index: string, value: string): readonly T[];
  addIndex(name: string, keys: (object: T) => readonly string[]): void;
  /** A handler added late gets `onAdd` for everything there is. Returns its removal. */
  addHandler(handler: InformerHandler<T>): () => void;
}

export interface InformerHandler<T> {
  onAdd?(object: T, initial: boolean): void;
  onUpdate?(object: T, old: T): void;
  onDelete?(object: T): void;
}

/** What an informer is restricted to. */
export interface InformerSelector {
  readonly namespace?: string;
  readonly fieldSelector?: string;
  readonly labelSelector?: string;
}

/** One informer per resource and selector, shared by all consumers in the process. */
export interface InformerFactory {
  informer<T extends KubeObject>(type: ResourceType<T>, options?: InformerSelector): Informer<T>;
  /** The informer of the whole resource if someone asked for one already. */
  existing<T extends KubeObject>(type: ResourceType<T>): Informer<T> | undefined;
  /** Starts informers requested so far and those requested later. */
  start(): void;
  whenSynced(signal?: AbortSignal): Promise<void>;
  stop(): Promise<void>;
}
