import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import { writeFileVolume } from './file-volume.ts';
import { removeUnmounted } from './mounts.ts';
import { configMapFiles, DEFAULT_MODE } from './projection.ts';
import type { VolumeDriver } from './volume-driver.ts';

export function createConfigMapDriver(config: ConfigSource): VolumeDriver {
  return {
    name: 'kubernetes.io/configmap',
    refreshes: true,
    supports: ({ volume }) => volume.configMap !== undefined,
    async setUp(context) {
      const { name = '', items, defaultMode = DEFAULT_MODE, optional = false } = context.spec.volume.configMap ?? {};
      let configMap = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } } as Awaited<
        ReturnType<ConfigSource['configMap']>
      >;
      try {
        configMap = await config.configMap(context.pod.metadata.namespace ?? 'default', name);
      } catch (error) {
        if (!(optional && isStatusError(error, 'NotFound'))) throw error;
      }
      return await writeFileVolume(context, configMapFiles(configMap, items, defaultMode, optional));
    },
    tearDown: removeUnmounted,
  };
}
