import { isDeepStrictEqual } from 'node:util';
import type { Logger } from '../apimachinery/logger.ts';
import type { Client } from '../client/client.ts';
import { withDeadline } from '../sdk/deadline.ts';
import type { OptionsSchema, Plugin, PluginContext, PluginMetrics, StopPlugin } from '../sdk/plugin.ts';
import { type ExtensionPoints, Registrations } from './registrations.ts';

/** One configuration of a plugin, as a ConfigMap holds it. */
export interface Configuration {
  /** `namespace/name` of the ConfigMap. */
  readonly configMap: string;
  readonly options: unknown;
  /** Why the ConfigMap's value can't be read. */
  readonly error?: string;
}

export type SupervisorPhase = 'Pending' | 'Starting' | 'Running' | 'Failed' | 'Stopped';

export interface SupervisorStatus {
  readonly phase: SupervisorPhase;
  readonly message: string;
  /** The ConfigMap in force. */
  readonly configMap?: string;
  /** The wanted configuration is wrong: what its writer should be told. */
  readonly invalid?: { readonly configMap: string; readonly message: string };
}

export interface SupervisorOptions {
  readonly plugin: Plugin;
  readonly points: ExtensionPoints;
  readonly logger: Logger;
  client(): Client;
  readonly metrics: PluginMetrics;
  inPlugin<T>(call: () => T): T;
  onStatus(status: SupervisorStatus): void;
  readonly timing?: Partial<SupervisorTiming>;
}

export interface SupervisorTiming {
  /** Of one call into what a plugin registered; 2,000. */
  readonly callDeadlineMs: number;
  /** Of `setup`, and of the options' schema; 10,000. */
  readonly setupDeadlineMs: number;
  readonly stopDeadlineMs: number;
  /** Wait before a crashed plugin is started again: doubles from the first to the second. */
  readonly restartMs: number;
  readonly maxRestartMs: number;
  /** Calls that fail one after another until the plugin counts as crashed. */
  readonly failuresToCrash: number;
}

const TIMING: SupervisorTiming = {
  callDeadlineMs: 2000,
  setupDeadlineMs: 10_000,
  stopDeadlineMs: 5000,
  restartMs: 1000,
  maxRestartMs: 300_000,
  failuresToCrash: 5,
};

/** A set-up plugin. */
interface Instance {
  readonly configuration: Configuration;
  readonly abort: AbortController;
  readonly registrations: Registrations;
  readonly startedAt: number;
  stop: StopPlugin | undefined;
}

/** The life of one plugin: brings what runs in line with the wanted configuration, one step after another. */
export class PluginSupervisor {
  readonly plugin: Plugin;
  readonly #options: SupervisorOptions;
  readonly #timing: SupervisorTiming;
  #wanted: Configuration | undefined;
  #running: Instance | undefined;
  #status: SupervisorStatus = { phase: 'Pending', message: 'no ConfigMap configures it' };
  #queue: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #crashes = 0;
  #ended = false;

  constructor(options: SupervisorOptions) {
    this.plugin = options.plugin;
    this.#options = options;
    this.#timing = { ...TIMING, ...options.timing };
  }

  get status(): SupervisorStatus {
    return this.#status;
  }

  /** Resolves when the configuration is in force, or known not to be. `undefined` stops the plugin. Never rejects. */
  configure(wanted: Configuration | undefined): Promise<void> {
    if (isDeepStrictEqual(wanted, this.#wanted)) return this.#queue;
    this.#wanted = wanted;
    this.#crashes = 0;
    return this.#enqueue();
  }

  async end(): Promise<void> {
    this.#ended = true;
    this.#wanted = undefined;
    await this.#enqueue();
  }

  /** An error that the plugin let loose outside any call. */
  crashed(error: unknown): void {
    if (this.#running) this.#crash(this.#running, error);
  }

  #enqueue(): Promise<void> {
    this.#queue = this.#queue
      .then(() => this.#reconcile())
      .catch((error: unknown) => this.#options.logger.error({ err: error }, 'plugin host failed'));
    return this.#queue;
  }

  async #reconcile(): Promise<void> {
    clearTimeout(this.#restart);
    const wanted = this.#wanted;
    if (!wanted) {
      const wasRunning = this.#running !== undefined;
      await this.#stopInstance(this.#running);
      this.#running = undefined;
      if (wasRunning || this.#status.phase !== 'Pending')
        this.#report({ phase: 'Stopped', message: 'the ConfigMap that configured it is gone' });
      return;
    }
    if (wanted.error !== undefined) return this.#refuse(wanted, wanted.error);
    let options: unknown;
    try {
      options = await this.#validate(wanted.options);
    } catch (error) {
      return this.#refuse(wanted, (error as Error).message);
    }
    if (!this.#running) this.#report({ phase: 'Starting', message: '', configMap: wanted.configMap });
    await this.#start(wanted, options);
  }

  async #validate(options: unknown): Promise<unknown> {
    const schema: OptionsSchema = this.plugin.options;
    const validation = this.#options.inPlugin(() => schema['~standard'].validate(options ?? {}));
    const result = await withDeadline(
      Promise.resolve(validation),
      this.#timing.setupDeadlineMs,
      'the schema of the options',
    );
    if (!result.issues) return result.value;
    const describe = ({ path, message }: (typeof result.issues)[number]) => {
      const field = (path ?? [])
        .map((segment) => (typeof segment === 'object' ? segment.key : segment))
        .reduce<string>(
          (text, key) => (typeof key === 'number' ? `${text}[${key}]` : `${text}.${String(key)}`),
          'options',
        );
      return `${field}: ${message}`;
    };
    throw new Error(result.issues.map(describe).join('; '));
  }

  /** Wrong options: what runs goes on running. */
  #refuse(wanted: Configuration, problem: string): void {
    const invalid = { configMap: wanted.configMap, message: problem };
    if (this.#running) {
      const { configMap } = this.#running.configuration;
      this.#report({
        phase: 'Running',
        message: `ConfigMap ${wanted.configMap} is wrong, the former configuration stays in force: ${problem}`,
        configMap,
        invalid,
      });
    } else {
      this.#report({
        phase: 'Failed',
        message: `ConfigMap ${wanted.configMap} is wrong: ${problem}`,
        configMap: wanted.configMap,
        invalid,
      });
    }
  }

  async #start(wanted: Configuration, options: unknown): Promise<void> {
    const instance = this.#prepare(wanted);
    try {
      await this.#setUp(instance, options);
      instance.registrations.activate();
    } catch (error) {
      await this.#stopInstance(instance);
      return this.#failed(wanted, error);
    }
    const former = this.#running;
    this.#running = instance;
    await this.#stopInstance(former);
    this.#report({ phase: 'Running', message: '', configMap: wanted.configMap });
  }

  #prepare(configuration: Configuration): Instance {
    let failures = 0;
    const instance: Instance = {
      configuration,
      abort: new AbortController(),
      startedAt: Date.now(),
      stop: undefined,
      registrations: new Registrations(this.#options.points, {
        plugin: this.plugin.name,
        callDeadlineMs: this.#timing.callDeadlineMs,
        inPlugin: (call) => this.#options.inPlugin(call),
        isAlive: () => !instance.abort.signal.aborted,
        onSuccess: () => {
          failures = 0;
        },
        onFailure: (error) => {
          this.#options.logger.warn({ plugin: this.plugin.name, err: error }, 'a call into the plugin failed');
          if (++failures === this.#timing.failuresToCrash) this.#crash(instance, error);
        },
      }),
    };
    return instance;
  }

  async #setUp(instance: Instance, options: unknown): Promise<void> {
    const { name, type, setup } = this.plugin;
    const base: PluginContext = {
      name,
      logger: this.#options.logger,
      client: this.#options.client(),
      metrics: this.#options.metrics,
      signal: instance.abort.signal,
      fail: (error) => this.#crash(instance, error),
    };
    const context = { ...base, ...instance.registrations.contextFor(type) } as never;
    const pending = Promise.resolve(this.#options.inPlugin(() => setup(context, options)));
    // A setup that ends after its deadline is stopped when it does.
    pending.then(
      (stop) => {
        if (typeof stop !== 'function') return;
        instance.stop = stop;
        if (instance.abort.signal.aborted) void this.#callStop(stop);
      },
      () => {},
    );
    await withDeadline(pending, this.#timing.setupDeadlineMs, `setup of plugin ${name}`);
  }

  /** Setup failed, or the plugin crashed: it is tried again after a while, and again after longer. */
  #failed(wanted: Configuration, error: unknown): void {
    const { restartMs, maxRestartMs } = this.#timing;
    const delay = Math.min(restartMs * 2 ** this.#crashes++, maxRestartMs);
    this.#options.logger.error({ plugin: this.plugin.name, err: error, retryInMs: delay }, 'plugin failed');
    const problem = error instanceof Error ? error.message : String(error);
    const again = `it is tried again in ${Math.ceil(delay / 1000)} s`;
    if (this.#running && !this.#running.abort.signal.aborted) {
      const { configMap } = this.#running.configuration;
      this.#report({
        phase: 'Running',
        message: `ConfigMap ${wanted.configMap} could not be put in force, the former configuration stays; ${again}: ${problem}`,
        configMap,
      });
    } else {
      this.#report({ phase: 'Failed', message: `${problem}; ${again}`, configMap: wanted.configMap });
    }
    if (this.#ended) return;
    this.#restart = setTimeout(() => void this.#enqueue(), delay);
    this.#restart.unref?.();
  }

  /** What it registered stays, failing, until it is replaced: an authorizer that is gone would deny nothing any more. */
  #crash(instance: Instance, error: unknown): void {
    if (this.#running !== instance || instance.abort.signal.aborted) return;
    if (Date.now() - instance.startedAt > this.#timing.maxRestartMs) this.#crashes = 0;
    instance.abort.abort(error);
    if (instance.stop) void this.#callStop(instance.stop);
    instance.stop = undefined;
    this.#failed(instance.configuration, error);
  }

  async #stopInstance(instance: Instance | undefined): Promise<void> {
    if (!instance) return;
    instance.registrations.remove();
    const { stop } = instance;
    instance.stop = undefined;
    if (!instance.abort.signal.aborted) instance.abort.abort(new Error('the plugin is stopped'));
    if (stop) await this.#callStop(stop);
  }

  async #callStop(stop: StopPlugin): Promise<void> {
    try {
      await withDeadline(
        Promise.resolve(this.#options.inPlugin(stop)),
        this.#timing.stopDeadlineMs,
        `stop of plugin ${this.plugin.name}`,
      );
    } catch (error) {
      this.#options.logger.warn({ plugin: this.plugin.name, err: error }, 'plugin did not stop cleanly');
    }
  }

  #report(status: SupervisorStatus): void {
    this.#status = status;
    this.#options.onStatus(status);
  }
}
