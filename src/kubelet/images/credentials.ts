import type { Pod, Secret } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ConfigSource } from '../containers/config-source.ts';
import type { RegistryAuth } from '../runtime/container-runtime.ts';
import { parseImageName } from './image-name.ts';

const DOCKER_HUB_KEYS = new Set(['index.docker.io', 'docker.io', 'registry-1.docker.io']);

interface DockerEntry {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Credentials for an image from the pod's imagePullSecrets, the closest match first. Secrets that are missing are passed over. */
export async function imageCredentials(
  pod: Pod,
  image: string,
  config: ConfigSource,
  logger: Logger,
): Promise<readonly RegistryAuth[]> {
  const found: { readonly auth: RegistryAuth; readonly key: string }[] = [];
  for (const { name } of pod.spec.imagePullSecrets ?? []) {
    if (!name) continue;
    try {
      const secret = await config.secret(pod.metadata.namespace ?? 'default', name);
      for (const [key, entry] of Object.entries(dockerConfig(secret))) {
        if (matches(key, image)) found.push({ auth: authOf(entry), key });
      }
    } catch (error) {
      logger.debug({ secret: name, error: (error as Error).message }, 'an image pull secret is not usable');
    }
  }
  return found.sort((a, b) => b.key.length - a.key.length).map(({ auth }) => auth);
}

function dockerConfig(secret: Secret): Readonly<Record<string, DockerEntry>> {
  const decode = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  if (secret.type === 'kubernetes.io/dockerconfigjson')
    return (JSON.parse(decode('.dockerconfigjson')) as { auths?: Record<string, DockerEntry> }).auths ?? {};
  if (secret.type === 'kubernetes.io/dockercfg') return JSON.parse(decode('.dockercfg')) as Record<string, DockerEntry>;
  return {};
}

/** Keys are registries, with or without scheme and path; `*` stands for one label of the host. */
function matches(key: string, image: string): boolean {
  const { registry, repository } = parseImageName(image);
  const bare = key
    .replace(/^https?:\/\//, '')
    .replace(/\/v[12]\/?$/, '')
    .replace(/\/$/, '');
  const slash = bare.indexOf('/');
  const host = slash < 0 ? bare : bare.slice(0, slash);
  const path = slash < 0 ? '' : bare.slice(slash + 1);
  if (path && repository !== path && !repository.startsWith(`${path}/`)) return false;
  if (DOCKER_HUB_KEYS.has(host)) return registry === 'docker.io';
  const [wanted, given] = [host.split('.'), registry.split('.')];
  return wanted.length === given.length && wanted.every((label, i) => glob(label, given[i] ?? ''));
}

function glob(pattern: string, text: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
  return new RegExp(`^${parts.join('.*')}$`).test(text);
}

/** Without a server address: the entry was chosen for the image already, and runtimes are particular about its form. */
function authOf(entry: DockerEntry): RegistryAuth {
  let { username, password } = entry;
  if (entry.auth && !username) {
    const text = Buffer.from(entry.auth, 'base64').toString();
    const colon = text.indexOf(':');
    if (colon >= 0) [username, password] = [text.slice(0, colon), text.slice(colon + 1).replace(/\0+$/, '')];
  }
  return {
    ...(username ? { username } : {}),
    ...(password ? { password } : {}),
    ...(entry.identitytoken ? { identityToken: entry.identitytoken } : {}),
    ...(entry.registrytoken ? { registryToken: entry.registrytoken } : {}),
  };
}
