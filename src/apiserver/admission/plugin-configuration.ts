import { isDeepStrictEqual } from 'node:util';
import type { ConfigMap } from '../../api/types/core.v1.gen.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import type { AdmissionAttributes, AdmissionStep } from '../../sdk/admission.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import { CONFIGURED_BY, pluginConfigurations } from '../../sdk/plugin-configuration.ts';
import { isFor, rejected } from './rejection.ts';

/**
 * Configuring a plugin is an authority over the cluster: the verb `configure` on `plugins.k8ts.dev/NAME`. The step stamps
 * ConfigMaps whose writer has it with who that was; the plugin host heeds stamped ones alone. Nobody else can set the stamp:
 * what a request brings is replaced, and a stamp goes over to the next revision only while the configurations in it stay the same.
 */
export function pluginConfiguration(authorizer: Authorizer): AdmissionStep {
  async function mayConfigure({ user }: AdmissionAttributes, plugin: string): Promise<boolean> {
    const decision = await authorizer.authorize({
      user,
      verb: 'configure',
      resourceRequest: true,
      group: 'plugins.k8ts.dev',
      version: 'v1',
      resource: 'plugins',
      subresource: '',
      namespace: '',
      name: plugin,
      path: '',
    });
    return decision.decision === 'allow';
  }

  /** The stamp that the object must carry, if any, and what to tell the writer. */
  async function judge(
    attributes: AdmissionAttributes,
    object: ConfigMap,
  ): Promise<{ stamp?: string; warnings: readonly string[] }> {
    const configurations = pluginConfigurations(object);
    if (configurations.length === 0) return { warnings: [] };
    const old =
      attributes.operation === 'UPDATE' ? (attributes.oldObject as unknown as ConfigMap | undefined) : undefined;
    if (old && isDeepStrictEqual(pluginConfigurations(old), configurations)) {
      const stamp = old.metadata.annotations?.[CONFIGURED_BY];
      return stamp === undefined ? { warnings: [] } : { stamp, warnings: [] };
    }
    const former = new Map((old ? pluginConfigurations(old) : []).map(({ key, plugin }) => [key, plugin]));
    const warnings: string[] = [];
    let authorized = false;
    for (const { key, plugin, error } of configurations) {
      if (error !== undefined) warnings.push(`${key} configures no plugin: ${error}`);
      // What can't be read counts as a change of what was configured there.
      const affected = plugin ?? former.get(key);
      if (affected === undefined) continue;
      if (await mayConfigure(attributes, affected)) {
        authorized = true;
        continue;
      }
      const { name } = attributes.user;
      warnings.push(
        `${key} is stored as plain data and does not configure plugin "${affected}": user ${JSON.stringify(name)} may not "configure" "${affected}" of plugins.k8ts.dev`,
      );
      return { warnings };
    }
    return authorized ? { stamp: attributes.user.name, warnings } : { warnings };
  }

  const carriesStamp = (object: UnstructuredObject | undefined) =>
    object?.metadata.annotations?.[CONFIGURED_BY] !== undefined;

  return {
    name: 'PluginConfiguration',
    handles: (attributes) =>
      (attributes.operation === 'CREATE' || attributes.operation === 'UPDATE') && isFor(attributes, '', 'configmaps'),
    async mutate(attributes, object) {
      const { stamp, warnings } = await judge(attributes, object as unknown as ConfigMap);
      for (const warning of warnings) attributes.warn(warning);
      const { [CONFIGURED_BY]: given, ...annotations } = object.metadata.annotations ?? {};
      if (given === stamp) return;
      if (stamp !== undefined) object.metadata.annotations = { ...annotations, [CONFIGURED_BY]: stamp };
      else if (Object.keys(annotations).length) object.metadata.annotations = annotations;
      else delete object.metadata.annotations;
    },
    async validate(attributes, object) {
      if (
        !carriesStamp(object) &&
        !carriesStamp(attributes.oldObject) &&
        pluginConfigurations(object as unknown as ConfigMap).length === 0
      )
        return;
      // A step or webhook after the stamp may have changed the object.
      const { stamp } = await judge(attributes, object as unknown as ConfigMap);
      if (object?.metadata.annotations?.[CONFIGURED_BY] !== stamp)
        throw rejected(attributes, object, `the annotation ${CONFIGURED_BY} is set by the API server alone`);
    },
  };
}
