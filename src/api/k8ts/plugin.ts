import { type FieldError, FieldPath, required } from '../../apimachinery/field.ts';
import type { Condition, KubeObject } from '../../apimachinery/meta.ts';
import type { FieldSchema, Schema } from '../../apimachinery/schema.ts';
import { ageColumn, column, nameColumn } from '../columns.ts';
import { defineKind } from '../define.ts';
import { optionalOneOf, requiredOneOf } from '../field-checks.ts';
import { schemaOf } from '../schema.ts';

export const pluginTypes = [
  ...['addon', 'admission', 'authentication', 'authorization', 'logging', 'monitoring', 'network', 'storage'],
] as const;

/**
 * `Pending`: found, not configured yet. `Starting`, `Running`: configured. `Failed`: it threw or hung and will be
 * tried again. `Stopped`: its configuration was taken away. `Disabled`: switched off by the operator.
 */
export const pluginPhases = ['Disabled', 'Failed', 'Pending', 'Running', 'Starting', 'Stopped'] as const;

/** The ConfigMap key that configures a plugin. */
export interface ConfigMapKeyReference {
  readonly namespace: string;
  readonly name: string;
  readonly key?: string;
}

/** What a plugin is; its author and the plugin host say so. */
export interface PluginSpec {
  readonly type: string;
  /** Where it is loaded from: `builtin`, an npm package, or a path. */
  readonly source: string;
  /** Pins the configuring ConfigMap; absent: any `*-plugin-config` key that names the plugin. */
  readonly configMapRef?: ConfigMapKeyReference;
}

/** What the plugin host observes. */
export interface PluginStatus {
  readonly phase?: string;
  readonly message?: string;
  readonly type?: string;
  readonly source?: string;
  /** `namespace/name` of the ConfigMap in force. */
  readonly configMap?: string;
  readonly observedGeneration?: number;
  readonly conditions?: readonly Condition[];
}

/** A plugin that the cluster knows, `plugins.k8ts.dev/v1`: written by the plugin host, read with `kubectl get plugins`. */
export interface Plugin extends KubeObject {
  readonly spec: PluginSpec;
  readonly status?: PluginStatus;
}

const string: Schema = { type: 'string' };
const int64: Schema = { type: 'int64' };

function struct(
  name: string,
  fields: () => Readonly<Record<string, Schema | FieldSchema>>,
  more?: Partial<Schema>,
): Schema {
  let built: ReadonlyMap<string, FieldSchema> | undefined;
  return {
    type: 'object',
    name: `dev.k8ts.plugins.v1.${name}`,
    ...more,
    fields: () => {
      built ??= new Map(
        Object.entries(fields()).map(([field, schema]) => [field, 'schema' in schema ? schema : { schema }]),
      );
      return built;
    },
  };
}

const needed = (schema: Schema): FieldSchema => ({ schema, required: true });

const reference = struct('ConfigMapKeyReference', () => ({
  namespace: needed(string),
  name: needed(string),
  key: string,
}));

const conditions: Schema = {
  type: 'list',
  listType: 'map',
  listMapKeys: ['type'],
  patchStrategy: 'merge',
  patchMergeKey: 'type',
  items: () => schemaOf('meta.v1.Condition'),
};

const pluginSchema = struct(
  'Plugin',
  () => ({
    apiVersion: string,
    kind: string,
    metadata: schemaOf('meta.v1.ObjectMeta'),
    spec: struct('PluginSpec', () => ({
      type: needed(string),
      source: needed(string),
      configMapRef: reference,
    })),
    status: struct('PluginStatus', () => ({
      phase: string,
      message: string,
      type: string,
      source: string,
      configMap: string,
      observedGeneration: int64,
      conditions,
    })),
  }),
  { gvk: { group: 'plugins.k8ts.dev', version: 'v1', kind: 'Plugin' } },
);

export const plugin = defineKind<Plugin>({
  group: 'plugins.k8ts.dev',
  version: 'v1',
  kind: 'Plugin',
  resource: 'plugins',
  categories: ['k8ts'],
  namespaced: false,
  verbs: ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'],
  schema: pluginSchema,
  generation: 'spec',
  prepareForCreate(plugin) {
    plugin.status = { phase: 'Pending' };
  },
  validate: validatePlugin,
  subresources: {
    status: {
      validateUpdate: ({ status }) => optionalOneOf(FieldPath.of('status', 'phase'), status?.phase, pluginPhases),
    },
  },
  columns: [
    nameColumn,
    column('Type', ({ spec, status }) => status?.type ?? spec?.type ?? '', { description: 'What the plugin extends' }),
    column('Source', ({ spec, status }) => status?.source ?? spec?.source ?? '', {
      description: 'Where the plugin was loaded from',
    }),
    column('Phase', ({ status }) => status?.phase ?? '', { description: 'State of the plugin' }),
    column('Config', ({ status }) => status?.configMap || '<none>', {
      description: 'ConfigMap that configures the plugin, as namespace/name',
    }),
    column('Message', ({ status }) => status?.message ?? '', { wide: true, description: 'More about the phase' }),
    ageColumn,
  ],
  selectableFields: {
    'spec.type': ({ spec }) => spec?.type ?? '',
    'status.phase': ({ status }) => status?.phase ?? '',
  },
});

function validatePlugin({ spec }: Plugin): FieldError[] {
  const path = FieldPath.of('spec');
  if (!spec) return [required(path)];
  const errors = requiredOneOf(path.child('type'), spec.type, pluginTypes);
  if (!spec.source) errors.push(required(path.child('source')));
  const at = path.child('configMapRef');
  for (const field of ['namespace', 'name'] as const)
    if (spec.configMapRef && !spec.configMapRef[field]) errors.push(required(at.child(field)));
  return errors;
}
