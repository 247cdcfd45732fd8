import type { Logger } from '../apimachinery/logger.ts';
import { isDns1123Label } from '../apimachinery/names.ts';
import type { Client } from '../client/client.ts';
import type { AdmissionStep } from './admission.ts';
import type { Authenticator } from './authentication.ts';
import type { Authorizer } from './authorization.ts';

export type PluginType =
  | 'authentication'
  | 'authorization'
  | 'admission'
  | 'storage'
  | 'network'
  | 'monitoring'
  | 'logging'
  | 'addon';

export const PLUGIN_TYPES: readonly PluginType[] = [
  'authentication',
  'authorization',
  'admission',
  'storage',
  'network',
  'monitoring',
  'logging',
  'addon',
];

/** What every plugin gets. It ends with the plugin: after `signal` is aborted nothing of it may be used. */
export interface PluginContext {
  /** The plugin's name. */
  readonly name: string;
  readonly logger: Logger;
  /** Acts as the plugin's own ServiceAccount: `plugin-NAME` in kube-system; what it may do is what RBAC grants it. */
  readonly client: Client;
  readonly metrics: PluginMetrics;
  /** Aborted when the plugin is stopped, reconfigured or given up. */
  readonly signal: AbortSignal;
  /** Reports that the plugin can't go on: it is stopped and started again after a while. */
  fail(error: unknown): void;
}

/** Metrics under the plugin's own prefix; the same name gives the same metric. */
export interface PluginMetrics {
  counter(name: string, help: string): { add(value?: number, labels?: Readonly<Record<string, string>>): void };
  gauge(name: string, help: string): { set(value: number, labels?: Readonly<Record<string, string>>): void };
}

/** What a plugin of each type may register. What it registers is taken away when it stops. */
export interface PluginRegistrations {
  authentication: {
    readonly authentication: {
      /** Asked after the built-in authenticators. One that fails or takes too long has no opinion. */
      register(authenticator: Authenticator): void;
    };
  };
  authorization: {
    readonly authorization: {
      /**
       * Asked after RBAC, to allow more; or `before: 'RBAC'`, to deny what RBAC would allow. One that fails or takes too long
       * denies. The cluster's own components are never asked about.
       */
      register(authorizer: Authorizer, options?: { readonly before?: 'RBAC' }): void;
    };
  };
  admission: {
    readonly admission: {
      /** Runs after the built-in steps. When it fails or takes too long the request is refused, or with `Ignore` let through. */
      register(step: AdmissionStep, options?: { readonly failurePolicy?: 'Fail' | 'Ignore' }): void;
    };
  };
  storage: unknown;
  network: unknown;
  monitoring: unknown;
  logging: unknown;
  addon: unknown;
}

export type PluginContextOf<T extends PluginType> = PluginContext & PluginRegistrations[T];

/** A schema in the form of Standard Schema v1: zod, valibot, arktype and others. */
export interface OptionsSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | {
      readonly issues: readonly {
        readonly message: string;
        readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
      }[];
    };

export type OptionsOf<S extends OptionsSchema> = NonNullable<S['~standard']['types']>['output'];

/** Ends the plugin: timers, connections, files. Registrations end by themselves. */
export type StopPlugin = () => void | Promise<void>;

export interface PluginDefinition<T extends PluginType = PluginType, S extends OptionsSchema = OptionsSchema> {
  /** A DNS label; what `plugin:` in a ConfigMap names. */
  readonly name: string;
  readonly type: T;
  /** Validates and completes the options; `setup` gets its output. */
  readonly options: S;
  /** Called for each configuration. The one before it still runs then, and stops once this one is set up. */
  setup(context: PluginContextOf<T>, options: OptionsOf<S>): void | StopPlugin | Promise<void | StopPlugin>;
}

const MARK = 'k8ts/plugin/v1';

/** A plugin as `definePlugin` made it. */
export interface Plugin extends PluginDefinition {
  readonly mark: typeof MARK;
}

/** Makes a plugin; its file exports the result by default. Throws TypeError when the definition is no good. */
export function definePlugin<T extends PluginType, S extends OptionsSchema>(
  definition: PluginDefinition<T, S>,
): Plugin {
  const { name, type, options, setup } = definition;
  const problems = isDns1123Label(name);
  if (problems.length) throw new TypeError(`plugin name ${JSON.stringify(name)}: ${problems[0]}`);
  if (!PLUGIN_TYPES.includes(type))
    throw new TypeError(`plugin ${name}: type must be one of ${PLUGIN_TYPES.join(', ')}, not ${JSON.stringify(type)}`);
  if (typeof options?.['~standard']?.validate !== 'function')
    throw new TypeError(`plugin ${name}: options must be a schema, for example z.object({ ... })`);
  if (typeof setup !== 'function') throw new TypeError(`plugin ${name}: setup must be a function`);
  return Object.freeze({ name, type, options, setup, mark: MARK }) as unknown as Plugin;
}

export function isPlugin(value: unknown): value is Plugin {
  return typeof value === 'object' && value !== null && (value as Partial<Plugin>).mark === MARK;
}
