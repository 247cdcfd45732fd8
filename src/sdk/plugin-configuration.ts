import type { ConfigMap } from '../api/types/core.v1.gen.ts';
import { decodeYaml } from '../apimachinery/decode-yaml.ts';

/** Set by the API server on ConfigMaps whose writer may configure the plugins named in them: that writer's name. */
export const CONFIGURED_BY = 'plugins.k8ts.dev/configured-by';

const KEY_SUFFIX = '-plugin-config';

/** One plugin configuration in a ConfigMap. */
export interface PluginConfiguration {
  readonly key: string;
  /** Absent when the value is not what a plugin configuration is. */
  readonly plugin?: string;
  readonly options: unknown;
  /** Why the value could not be read. */
  readonly error?: string;
}

/** The plugin configurations in a ConfigMap: its keys that end in `-plugin-config`, read as YAML. */
export function pluginConfigurations({ data }: Pick<ConfigMap, 'data'>): readonly PluginConfiguration[] {
  return Object.entries(data ?? {})
    .filter(([key]) => key.endsWith(KEY_SUFFIX))
    .map(([key, text]) => ({ key, ...read(text) }));
}

function read(text: string): Omit<PluginConfiguration, 'key'> {
  let value: unknown;
  try {
    value = decodeYaml(text).value;
  } catch (error) {
    return { options: undefined, error: `it is not YAML: ${(error as Error).message.split('\n')[0]}` };
  }
  const { plugin, options } = (typeof value === 'object' && value !== null ? value : {}) as {
    plugin?: unknown;
    options?: unknown;
  };
  if (typeof plugin !== 'string' || plugin === '')
    return { options: undefined, error: 'it has no field "plugin" with the name of a plugin' };
  return { plugin, options };
}
