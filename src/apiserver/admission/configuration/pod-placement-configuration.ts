import type { Toleration } from '../../../api/types/core.v1.gen.ts';
import { FieldPath } from '../../../apimachinery/field.ts';
import { ConfigurationDocument } from '../../authentication/configuration/configuration-document.ts';
import type { NodeSelectors } from '../pod-node-selector.ts';
import type { TolerationRules } from '../pod-toleration-restriction.ts';

const FALLBACK = 'clusterDefaultNodeSelector';

/** `podNodeSelectorPluginConfig`: selectors by namespace. Has no kind. Throws ConfigurationFault. */
export function readNodeSelectors(given: unknown): NodeSelectors {
  const document = new ConfigurationDocument(given, undefined, [], ['podNodeSelectorPluginConfig']);
  const path = FieldPath.of('podNodeSelectorPluginConfig');
  const selectors = document.texts(document.root.podNodeSelectorPluginConfig, path);
  document.finish();
  const { [FALLBACK]: fallback = '', ...ofNamespaces } = selectors;
  return { fallback, ofNamespaces };
}

const VERSIONS = ['podtolerationrestriction.admission.k8s.io/v1alpha1'];

/** A Configuration of podtolerationrestriction.admission.k8s.io. Throws ConfigurationFault. */
export function readTolerationRules(given: unknown): TolerationRules {
  const document = new ConfigurationDocument(given, 'Configuration', VERSIONS, ['default', 'whitelist']);
  const read = (field: 'default' | 'whitelist') =>
    document.list(document.root[field], FieldPath.of(field)).map(({ value, path }): Toleration => {
      const fields = document.fields(value, path, ['key', 'operator', 'value', 'effect', 'tolerationSeconds']);
      const texts = ['key', 'operator', 'value', 'effect'].flatMap((name) => {
        const text = document.optionalText(fields[name], path.child(name));
        return text === undefined ? [] : [[name, text]];
      });
      const seconds = fields.tolerationSeconds;
      return {
        ...Object.fromEntries(texts),
        ...(seconds === undefined
          ? {}
          : { tolerationSeconds: document.count(seconds, path.child('tolerationSeconds')) }),
      };
    });
  const rules = { defaults: read('default'), whitelist: read('whitelist') };
  document.finish();
  return rules;
}
