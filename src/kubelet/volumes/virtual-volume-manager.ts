import type { Pod, Volume } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { Client } from '../../client/client.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import { messageOf } from '../containers/container-error.ts';
import { resolveClaim } from './persistent-volume-claim.ts';
import { type MountedVolume, VolumeError, type VolumeManager } from './volume-manager.ts';

const RETRY_MS = 1000;

/** For a runtime without processes: makes no files, but what volumes refer to must be there all the same. */
export function createVirtualVolumeManager({
  client,
  config,
}: {
  client: Client;
  config: ConfigSource;
}): VolumeManager {
  async function check(pod: Pod, volume: Volume): Promise<void> {
    const namespace = pod.metadata.namespace ?? 'default';
    const { configMap, secret, projected } = volume;
    if (configMap && !configMap.optional) await config.configMap(namespace, configMap.name ?? '');
    if (secret && !secret.optional) await config.secret(namespace, secret.secretName ?? '');
    for (const source of projected?.sources ?? []) {
      if (source.configMap && !source.configMap.optional)
        await config.configMap(namespace, source.configMap.name ?? '');
      if (source.secret && !source.secret.optional) await config.secret(namespace, source.secret.name ?? '');
    }
    if (volume.persistentVolumeClaim || volume.ephemeral) await resolveClaim(client, pod, volume);
  }
  return {
    async mount(pod, onFailure, signal) {
      const result = new Map<string, MountedVolume>();
      await Promise.all(
        (pod.spec.volumes ?? []).map(async (volume) => {
          try {
            await check(pod, volume);
            result.set(volume.name, { name: volume.name, driver: 'virtual', hostPath: '', readOnly: false });
          } catch (error) {
            if (signal.aborted) return;
            onFailure(volume.name, messageOf(error));
            const wait = isStatusError(error, 'NotFound') ? RETRY_MS : RETRY_MS * 5;
            throw new VolumeError(
              `MountVolume.SetUp failed for volume "${volume.name}" : ${messageOf(error)}`,
              Date.now() + wait,
            );
          }
        }),
      );
      signal.throwIfAborted();
      return result;
    },
    async unmount() {},
    podsWithVolumes: async () => [],
  };
}
