import type { Plugin, PluginStatus } from '../api/k8ts/plugin.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client, ResourceType } from '../client/client.ts';

export const PLUGINS: ResourceType<Plugin> = {
  group: 'plugins.k8ts.dev',
  version: 'v1',
  kind: 'Plugin',
  resource: 'plugins',
  namespaced: false,
};

export interface PluginRecord {
  readonly type: string;
  readonly source: string;
  readonly phase: string;
  readonly message: string;
  readonly configMap?: string;
}

/** Keeps the Plugin objects, what `kubectl get plugins` lists, as the host sees its plugins. Writes of one object follow each other. */
export class PluginObjects {
  readonly #client: Client;
  readonly #logger: Logger;
  readonly #latest = new Map<string, PluginRecord>();
  readonly #writing = new Map<string, Promise<void>>();

  constructor(options: { readonly client: Client; readonly logger: Logger }) {
    this.#client = options.client;
    this.#logger = options.logger;
  }

  /** Deletes the objects of plugins that are no longer there. */
  async retain(names: ReadonlySet<string>): Promise<void> {
    const plugins = this.#client.for(PLUGINS);
    const { items } = await plugins.list();
    await Promise.all(
      items
        .filter(({ metadata }) => !names.has(metadata.name))
        .map(({ metadata }) =>
          plugins.delete({ name: metadata.name }).catch((error: unknown) => this.#ignore(error, 'NotFound')),
        ),
    );
  }

  /** Writes the newest record; records that come meanwhile replace each other. */
  record(name: string, record: PluginRecord): void {
    this.#latest.set(name, record);
    if (this.#writing.has(name)) return;
    const writing = this.#write(name)
      .catch((error: unknown) =>
        this.#logger.warn({ plugin: name, err: error }, 'the Plugin object could not be written'),
      )
      .finally(() => this.#writing.delete(name));
    this.#writing.set(name, writing);
  }

  async settled(): Promise<void> {
    while (this.#writing.size) await Promise.all(this.#writing.values());
  }

  async #write(name: string): Promise<void> {
    for (let attempt = 0; ; ) {
      const record = this.#latest.get(name);
      if (!record) return;
      try {
        await this.#put(name, record);
        if (this.#latest.get(name) === record) return;
      } catch (error) {
        if (
          !isStatusError(error, 'Conflict') &&
          !isStatusError(error, 'NotFound') &&
          !isStatusError(error, 'AlreadyExists')
        )
          throw error;
        if (++attempt > 5) throw error;
      }
    }
  }

  async #put(name: string, record: PluginRecord): Promise<void> {
    const plugins = this.#client.for(PLUGINS);
    const spec = { type: record.type, source: record.source };
    let current = await plugins.get({ name }).catch((error: unknown) => this.#ignore(error, 'NotFound'));
    if (!current) {
      current = await plugins.create({ apiVersion: 'plugins.k8ts.dev/v1', kind: 'Plugin', metadata: { name }, spec });
    } else if (current.spec?.type !== spec.type || current.spec.source !== spec.source) {
      current = await plugins.update({ ...current, spec: { ...current.spec, ...spec } });
    }
    const status: PluginStatus = {
      phase: record.phase,
      message: record.message,
      ...spec,
      ...(record.configMap ? { configMap: record.configMap } : {}),
      ...(current.metadata.generation ? { observedGeneration: current.metadata.generation } : {}),
    };
    await plugins.updateStatus({ ...current, status });
  }

  #ignore(error: unknown, reason: string): undefined {
    if (!isStatusError(error, reason)) throw error;
  }
}
