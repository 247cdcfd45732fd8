import type { Pod, VolumeProjection } from '../../api/types/core.v1.gen.ts';
import { isStatusError } from '../../apimachinery/status-error.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import type { Resources } from '../containers/pod-fields.ts';
import { effectiveSecurityContext } from '../containers/security-context.ts';
import type { PayloadFile } from './atomic-writer.ts';
import { writeFileVolume } from './file-volume.ts';
import { removeUnmounted } from './mounts.ts';
import { configMapFiles, DEFAULT_MODE, downwardFiles, secretFiles } from './projection.ts';
import { mountMemory } from './secret.ts';
import type { TokenSource } from './service-account-token.ts';
import type { VolumeDriver } from './volume-driver.ts';

export interface ProjectedSources {
  readonly config: ConfigSource;
  readonly tokens: TokenSource;
  allocatable(): Resources;
}

/** `projected`: several sources in one volume; the one that gives every pod its ServiceAccount's token. */
export function createProjectedDriver(sources: ProjectedSources): VolumeDriver {
  return {
    name: 'kubernetes.io/projected',
    refreshes: true,
    supports: ({ volume }) => volume.projected !== undefined,
    async setUp(context) {
      const { sources: projections = [], defaultMode = DEFAULT_MODE } = context.spec.volume.projected ?? {};
      const payload = new Map<string, PayloadFile>();
      for (const projection of projections) {
        for (const [path, file] of await filesOf(context.pod, projection, defaultMode, sources))
          payload.set(path, file);
      }
      await mountMemory(context.path);
      return await writeFileVolume(context, payload);
    },
    tearDown: removeUnmounted,
  };
}

async function filesOf(
  pod: Pod,
  projection: VolumeProjection,
  mode: number,
  sources: ProjectedSources,
): Promise<Map<string, PayloadFile>> {
  const namespace = pod.metadata.namespace ?? 'default';
  const { configMap, secret, downwardAPI, serviceAccountToken } = projection;
  if (configMap) {
    const { name = '', items, optional = false } = configMap;
    const object = await unlessOptional(() => sources.config.configMap(namespace, name), optional);
    return object ? configMapFiles(object, items, mode, optional) : new Map();
  }
  if (secret) {
    const { name = '', items, optional = false } = secret;
    const object = await unlessOptional(() => sources.config.secret(namespace, name), optional);
    return object ? secretFiles(object, items, mode, optional) : new Map();
  }
  if (downwardAPI) return downwardFiles(pod, downwardAPI.items ?? [], mode, sources.allocatable());
  if (serviceAccountToken) {
    const { path, audience, expirationSeconds } = serviceAccountToken;
    const token = await sources.tokens.token(pod, audience, expirationSeconds);
    const uid = commonUser(pod);
    // With one user or a group to read it, nobody else gets to see the token.
    const own = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
    return new Map([
      [path, { data: Buffer.from(token), mode: own ? 0o600 : mode, ...(uid === undefined ? {} : { uid }) }],
    ]);
  }
  if (projection.clusterTrustBundle)
    throw new Error('ClusterTrustBundle projection is not supported in static kubelet mode');
  if (projection.podCertificate) throw new Error('PodCertificate projection is not supported by this kubelet');
  return new Map();
}

async function unlessOptional<T>(fetch: () => Promise<T>, optional: boolean): Promise<T | undefined> {
  try {
    return await fetch();
  } catch (error) {
    if (optional && isStatusError(error, 'NotFound')) return undefined;
    throw error;
  }
}

/** The user that all containers run as, if the pod says so for all. */
function commonUser(pod: Pod): number | undefined {
  const users = [...(pod.spec.initContainers ?? []), ...pod.spec.containers].map(
    (container) => effectiveSecurityContext(pod, container).runAsUser,
  );
  return users.every((user) => user === users[0]) ? users[0] : undefined;
}
