import { createConfigMapDriver } from './config-map.ts';
import { createDownwardAPIDriver } from './downward-api.ts';
import { createEmptyDirDriver } from './empty-dir.ts';
import { createHostPathDriver } from './host-path.ts';
import { createLocalDriver } from './local.ts';
import { createNfsDriver } from './nfs.ts';
import { createProjectedDriver, type ProjectedSources } from './projected.ts';
import { createSecretDriver } from './secret.ts';
import type { VolumeDriver } from './volume-driver.ts';

/** The volume kinds that need nothing beside the kubelet. */
export function createVolumeDrivers(sources: ProjectedSources): VolumeDriver[] {
  return [
    createEmptyDirDriver(),
    createHostPathDriver(),
    createConfigMapDriver(sources.config),
    createSecretDriver(sources.config),
    createProjectedDriver(sources),
    createDownwardAPIDriver(sources.allocatable),
    createLocalDriver(),
    createNfsDriver(),
  ];
}
