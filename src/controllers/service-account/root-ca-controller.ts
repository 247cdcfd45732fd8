import { ConfigMaps, Namespaces } from '../../client/resource-types.gen.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';
import { createInNamespace, isActive } from './service-account-controller.ts';

export const ROOT_CA_CONFIG_MAP = 'kube-root-ca.crt';

const DESCRIPTION = {
  'kubernetes.io/description':
    'Contains a CA bundle that can be used to verify the kube-apiserver when using internal endpoints such as the internal service IP or kubernetes.default.svc. No other usage is guaranteed across distributions of Kubernetes clusters.',
};

/** Publishes the cluster's CA into every namespace, for pods to trust the API server by. */
export function rootCaController(options: { readonly rootCa: string }): ControllerDefinition {
  const data = { 'ca.crt': options.rootCa };
  return defineController({
    name: 'root-ca-certificate-publisher-controller',
    watches: [
      watch(Namespaces),
      watch(ConfigMaps, {
        when: ({ object }) => object.metadata.name === ROOT_CA_CONFIG_MAP,
        keys: (configMap) => [configMap.metadata.namespace ?? ''],
      }),
    ],
    async reconcile({ key }, { client, informer }) {
      const namespace = informer(Namespaces).get(key);
      if (!namespace || !isActive(namespace)) return;
      const configMap = informer(ConfigMaps).get(`${key}/${ROOT_CA_CONFIG_MAP}`);
      if (!configMap) {
        const metadata = { namespace: key, name: ROOT_CA_CONFIG_MAP, annotations: DESCRIPTION };
        await createInNamespace(() =>
          client.for(ConfigMaps).create({ apiVersion: 'v1', kind: 'ConfigMap', metadata, data }),
        );
        return;
      }
      const fine = Object.keys(configMap.data ?? {}).length === 1 && configMap.data?.['ca.crt'] === options.rootCa;
      const described = Object.entries(DESCRIPTION).every(
        ([name, text]) => configMap.metadata.annotations?.[name] === text,
      );
      if (fine && described) return;
      const annotations = { ...configMap.metadata.annotations, ...DESCRIPTION };
      await client.for(ConfigMaps).update({ ...configMap, metadata: { ...configMap.metadata, annotations }, data });
    },
  });
}
