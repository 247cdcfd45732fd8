import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigMap } from '../api/types/core.v1.gen.ts';
import { CodedError } from '../apimachinery/coded-error.ts';
import type { Logger } from '../apimachinery/logger.ts';
import { objectKey } from '../apimachinery/meta.ts';
import { isStatusError } from '../apimachinery/status-error.ts';
import type { Client } from '../client/client.ts';
import { createEventRecorder, type EventRecorder } from '../client/event-recorder.ts';
import type { InformerFactory } from '../client/informer.ts';
import { ConfigMaps, ServiceAccounts } from '../client/resource-types.gen.ts';
import { isPlugin, type Plugin, type PluginMetrics } from '../sdk/plugin.ts';
import { CONFIGURED_BY, pluginConfigurations } from '../sdk/plugin-configuration.ts';
import { importPlugin, removeCompiled } from './compile.ts';
import { discoverPlugins, type PluginEntry } from './discover.ts';
import { PluginObjects, type PluginRecord } from './plugin-objects.ts';
import type { ExtensionPoints } from './registrations.ts';
import { StrayErrors } from './stray-errors.ts';
import { type Configuration, PluginSupervisor, type SupervisorStatus, type SupervisorTiming } from './supervisor.ts';

export interface PluginHostOptions {
  /** Whose plugins are loaded (`--plugins DIR`). */
  readonly directory?: string;
  /** Plugins that come with k8ts or its embedder; their source shows as `builtin`. */
  readonly plugins?: readonly Plugin[];
  /** Reads ConfigMaps, writes Plugin objects, Events and the plugins' ServiceAccounts. */
  readonly client: Client;
  readonly informers: InformerFactory;
  readonly extensionPoints: ExtensionPoints;
  /** A client that acts as ServiceAccount `plugin-NAME` of kube-system. */
  clientFor(plugin: string): Client;
  metricsFor?(plugin: string): PluginMetrics;
  readonly logger: Logger;
  /** For compiled plugins; a temporary one when absent. */
  readonly workDirectory?: string;
  readonly timing?: Partial<SupervisorTiming>;
}

/** `plugin-NAME`: the ServiceAccount of a plugin, in kube-system. */
export const pluginServiceAccount = (plugin: string) => `plugin-${plugin}`;

const NO_METRICS: PluginMetrics = { counter: () => ({ add() {} }), gauge: () => ({ set() {} }) };

interface Hosted {
  readonly supervisor: PluginSupervisor;
  readonly source: string;
}

/** A plugin configuration that the API server vouches for. */
interface Candidate extends Configuration {
  readonly plugin: string;
  readonly object: ConfigMap;
}

/** Loads plugins and runs those that a ConfigMap configures: applying, changing and deleting it takes effect at once. */
export class PluginHost {
  readonly #options: PluginHostOptions;
  readonly #logger: Logger;
  readonly #hosted = new Map<string, Hosted>();
  readonly #byConfigMap = new Map<string, readonly Candidate[]>();
  /** Which plugin a ConfigMap key configured when it could last be read. */
  readonly #formerPlugin = new Map<string, string>();
  readonly #reported = new Map<string, string>();
  readonly #stray = new StrayErrors();
  #objects: PluginObjects | undefined;
  #recorder: EventRecorder | undefined;
  #workDirectory: string | undefined;
  #unsubscribe: (() => void) | undefined;

  constructor(options: PluginHostOptions) {
    this.#options = options;
    this.#logger = options.logger;
  }

  /** Resolves when all plugins are loaded and those that are configured run, or are known not to. */
  async start(): Promise<void> {
    const { client, informers } = this.#options;
    this.#objects = new PluginObjects({ client, logger: this.#logger });
    this.#recorder = createEventRecorder({ client, logger: this.#logger, component: 'plugin-host' });
    const failed = await this.#loadAll();
    if (this.#hosted.size) this.#stray.start();
    const names = new Set([...this.#hosted.keys(), ...failed]);
    await this.#objects
      .retain(names)
      .catch((error: unknown) => this.#logger.warn({ err: error }, 'Plugin objects could not be listed'));
    for (const [name, { supervisor }] of this.#hosted) this.#onStatus(name, supervisor.status);
    const configMaps = informers.informer(ConfigMaps);
    this.#unsubscribe = configMaps.addHandler({
      onAdd: (object) => this.#configMapChanged(object),
      onUpdate: (object) => this.#configMapChanged(object),
      onDelete: (object) => this.#configMapGone(object),
    });
    informers.start();
    await configMaps.whenSynced();
    await Promise.all(
      [...this.#hosted.values()].map(({ supervisor }) => supervisor.configure(this.#choose(supervisor.plugin.name))),
    );
    await this.#objects.settled();
  }

  async stop(): Promise<void> {
    this.#unsubscribe?.();
    await Promise.all([...this.#hosted.values()].map(({ supervisor }) => supervisor.end()));
    await this.#objects?.settled();
    await this.#recorder?.stop();
    this.#stray.stop();
    if (this.#workDirectory && !this.#options.workDirectory) await removeCompiled(this.#workDirectory);
  }

  /** Loads everything; returns the labels of what could not be loaded. */
  async #loadAll(): Promise<readonly string[]> {
    for (const plugin of this.#options.plugins ?? []) this.#host(plugin, 'builtin');
    const { directory } = this.#options;
    if (directory === undefined) return [];
    const entries = await discoverPlugins(directory);
    if (entries.length)
      this.#workDirectory = this.#options.workDirectory ?? (await mkdtemp(join(tmpdir(), 'k8ts-plugins-')));
    const outcomes = await Promise.all(entries.map((entry) => this.#load(entry)));
    return outcomes.filter((label) => label !== undefined);
  }

  async #load(entry: PluginEntry): Promise<string | undefined> {
    try {
      const module = await importPlugin(entry.file, this.#workDirectory!);
      const plugin = module.default;
      if (!isPlugin(plugin)) {
        throw new CodedError(
          'NOT_A_PLUGIN',
          `${entry.file} is no plugin: its default export was not made by definePlugin`,
          'Export a plugin by default: export default definePlugin({ ... }).',
        );
      }
      const known = this.#hosted.get(plugin.name);
      if (known)
        throw new CodedError(
          'PLUGIN_TWICE',
          `plugin ${plugin.name} comes from ${known.source} already`,
          'Give one of them another name.',
        );
      this.#host(plugin, entry.source);
      return undefined;
    } catch (error) {
      const message = error instanceof CodedError ? `${error.message}. ${error.remedy}` : (error as Error).message;
      this.#logger.error({ source: entry.source, err: error }, 'plugin could not be loaded');
      const name =
        `${entry.label}`
          .toLowerCase()
          .replace(/[^a-z0-9-]+/g, '-')
          .replace(/^-+|-+$/g, '') || 'unnamed';
      if (!this.#hosted.has(name))
        this.#objects?.record(name, { type: 'addon', source: entry.source, phase: 'Failed', message });
      return name;
    }
  }

  #host(plugin: Plugin, source: string): void {
    const logger = this.#logger.child({ plugin: plugin.name });
    const supervisor: PluginSupervisor = new PluginSupervisor({
      plugin,
      points: this.#options.extensionPoints,
      logger,
      client: () => {
        void this.#ensureServiceAccount(plugin.name);
        return this.#options.clientFor(plugin.name);
      },
      metrics: this.#options.metricsFor?.(plugin.name) ?? NO_METRICS,
      inPlugin: (call) => this.#stray.run((error) => supervisor.crashed(error), call),
      onStatus: (status) => this.#onStatus(plugin.name, status),
      ...(this.#options.timing ? { timing: this.#options.timing } : {}),
    });
    this.#hosted.set(plugin.name, { supervisor, source });
  }

  #onStatus(name: string, status: SupervisorStatus): void {
    const hosted = this.#hosted.get(name);
    if (!hosted) return;
    const record: PluginRecord = {
      type: hosted.supervisor.plugin.type,
      source: hosted.source,
      phase: status.phase,
      message: status.message,
      ...(status.configMap ? { configMap: status.configMap } : {}),
    };
    this.#objects?.record(name, record);
    const log = status.phase === 'Failed' || status.invalid ? 'warn' : 'info';
    this.#logger[log](
      { plugin: name, phase: status.phase, configMap: status.configMap },
      status.message || `plugin is ${status.phase}`,
    );
    if (status.invalid)
      this.#tell(status.invalid.configMap, 'InvalidPluginOptions', `plugin ${name}: ${status.invalid.message}`);
    else if (status.phase === 'Failed' && status.configMap)
      this.#tell(status.configMap, 'PluginFailed', `plugin ${name}: ${status.message}`);
    else if (status.phase === 'Running' && !status.message && status.configMap)
      this.#tell(status.configMap, 'PluginConfigured', `plugin ${name} runs with this configuration`, 'Normal');
  }

  #configMapChanged(object: ConfigMap): void {
    const key = objectKey(object);
    const before = this.#byConfigMap.get(key) ?? [];
    // Only the API server sets the mark, and only for writers who may configure the plugins named here.
    const trusted =
      object.metadata.annotations?.[CONFIGURED_BY] !== undefined && object.metadata.deletionTimestamp === undefined;
    if (!trusted && before.length === 0) return;
    const candidates = trusted ? this.#read(object, key) : [];
    if (candidates.length) this.#byConfigMap.set(key, candidates);
    else this.#byConfigMap.delete(key);
    this.#apply([...before, ...candidates]);
  }

  #configMapGone(object: ConfigMap): void {
    const key = objectKey(object);
    const before = this.#byConfigMap.get(key);
    if (!before) return;
    this.#byConfigMap.delete(key);
    for (const { plugin } of before) this.#reported.delete(`${key} ${plugin}`);
    this.#apply(before);
  }

  #read(object: ConfigMap, configMap: string): readonly Candidate[] {
    return pluginConfigurations(object).flatMap(({ key, plugin, options, error }) => {
      const place = `${configMap} ${key}`;
      const name = plugin ?? this.#formerPlugin.get(place);
      if (name === undefined) return [];
      this.#formerPlugin.set(place, name);
      return [
        { plugin: name, configMap, options, object, ...(error !== undefined ? { error: `${key}: ${error}` } : {}) },
      ];
    });
  }

  #apply(candidates: readonly Candidate[]): void {
    for (const name of new Set(candidates.map(({ plugin }) => plugin))) {
      const hosted = this.#hosted.get(name);
      if (hosted) void hosted.supervisor.configure(this.#choose(name));
      else this.#tellOfUnknown(name, candidates);
    }
  }

  /** Of several ConfigMaps for one plugin the oldest counts; the others are told so. */
  #choose(name: string): Configuration | undefined {
    const all = [...this.#byConfigMap.values()].flat().filter(({ plugin }) => plugin === name);
    const age = ({ object }: Candidate) => Date.parse(object.metadata.creationTimestamp ?? '') || 0;
    const [chosen, ...others] = all.sort((a, b) => age(a) - age(b) || (a.configMap < b.configMap ? -1 : 1));
    for (const { configMap } of others) {
      if (configMap !== chosen!.configMap)
        this.#tell(
          configMap,
          'PluginAlreadyConfigured',
          `plugin ${name} is configured by ConfigMap ${chosen!.configMap}, which is older`,
        );
    }
    if (!chosen) return undefined;
    return {
      configMap: chosen.configMap,
      options: chosen.options,
      ...(chosen.error !== undefined ? { error: chosen.error } : {}),
    };
  }

  #tellOfUnknown(name: string, candidates: readonly Candidate[]): void {
    for (const { plugin, configMap } of candidates) {
      if (plugin !== name || !this.#byConfigMap.has(configMap)) continue;
      const known = [...this.#hosted.keys()].sort().join(', ');
      this.#tell(
        configMap,
        'UnknownPlugin',
        `no plugin "${name}" is loaded${known ? `; there are: ${known}` : '; start k8ts with --plugins DIR'}`,
      );
    }
  }

  /** An Event on the ConfigMap, once per new message. */
  #tell(configMap: string, reason: string, message: string, type: 'Normal' | 'Warning' = 'Warning'): void {
    const candidate = this.#byConfigMap.get(configMap)?.[0];
    if (!candidate || this.#reported.get(configMap) === message) return;
    this.#reported.set(configMap, message);
    this.#recorder?.event({ ...candidate.object, apiVersion: 'v1', kind: 'ConfigMap' }, type, reason, message);
  }

  async #ensureServiceAccount(plugin: string): Promise<void> {
    const metadata = { name: pluginServiceAccount(plugin), namespace: 'kube-system' };
    try {
      await this.#options.client.for(ServiceAccounts).create({ apiVersion: 'v1', kind: 'ServiceAccount', metadata });
    } catch (error) {
      if (!isStatusError(error, 'AlreadyExists'))
        this.#logger.warn({ plugin, err: error }, 'the ServiceAccount of the plugin could not be created');
    }
  }
}
