import { mkdir } from 'node:fs/promises';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import { writeFileVolume } from './file-volume.ts';
import { mount, mountsBelow, removeUnmounted } from './mounts.ts';
import { DEFAULT_MODE, secretFiles } from './projection.ts';
import type { VolumeDriver } from './volume-driver.ts';

export function createSecretDriver(config: ConfigSource): VolumeDriver {
  return {
    name: 'kubernetes.io/secret',
    refreshes: true,
    supports: ({ volume }) => volume.secret !== undefined,
    async setUp(context) {
      const { secretName = '', items, defaultMode = DEFAULT_MODE, optional = false } = context.spec.volume.secret ?? {};
      let secret = { apiVersion: 'v1', kind: 'Secret', metadata: { name: secretName } } as Awaited<
        ReturnType<ConfigSource['secret']>
      >;
      try {
        secret = await config.secret(context.pod.metadata.namespace ?? 'default', secretName);
      } catch (error) {
        if (!(optional && isStatusError(error, 'NotFound'))) throw error;
      }
      await mountMemory(context.path);
      return await writeFileVolume(context, secretFiles(secret, items, defaultMode, optional));
    },
    tearDown: removeUnmounted,
  };
}

/** Secrets never touch the disk. */
export async function mountMemory(path: string): Promise<void> {
  await mkdir(path, { recursive: true });
  if (!(await mountsBelow(path)).includes(path)) await mount(['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', path]);
}
