import { createHmac } from 'node:crypto';
import type { Secret } from '../../api/types/core.v1.gen.ts';
import { objectKey } from '../../apimachinery/meta.ts';
import { ConfigMaps, Secrets } from '../../client/resource-types.gen.ts';
import { ignoreNotFound } from '../parallel.ts';
import { type ControllerDefinition, defineController, watch } from '../runtime/index.ts';

const NAMESPACE = 'kube-system';
const TOKEN_TYPE = 'bootstrap.kubernetes.io/token';
const PUBLIC_NAMESPACE = 'kube-public';
const CLUSTER_INFO = 'cluster-info';
const SIGNATURE = 'jws-kubeconfig-';

const field = (secret: Secret, name: string) => Buffer.from(secret.data?.[name] ?? '', 'base64').toString('utf8');

const isToken = ({ type, metadata }: Secret) => type === TOKEN_TYPE && metadata.namespace === NAMESPACE;

/** Epoch milliseconds; undefined for a token without end. What can't be read counts as over. */
function expiration(secret: Secret): number | undefined {
  const text = field(secret, 'expiration');
  if (!text) return undefined;
  const time = Date.parse(text);
  return Number.isNaN(time) ? 0 : time;
}

/** Deletes bootstrap tokens that have expired. */
export function tokenCleanerController(): ControllerDefinition {
  return defineController({
    name: 'token-cleaner-controller',
    watches: [watch(Secrets, { when: ({ type, object }) => type !== 'delete' && isToken(object) })],
    async reconcile({ key, namespace, name }, { client, informer, now }) {
      const secret = informer(Secrets).get(key);
      const end = secret && expiration(secret);
      if (!secret || end === undefined) return;
      if (end > now()) return { requeueAfterMs: end - now() };
      await client
        .for(Secrets)
        .delete({ namespace, name }, { preconditions: { uid: secret.metadata.uid } })
        .catch(ignoreNotFound);
    },
  });
}

/** Signs the ConfigMap `cluster-info` with each bootstrap token, so that joining nodes can trust it. */
export function bootstrapSignerController(): ControllerDefinition {
  const key = `${PUBLIC_NAMESPACE}/${CLUSTER_INFO}`;
  return defineController({
    name: 'bootstrap-signer-controller',
    concurrency: 1,
    watches: [
      watch(ConfigMaps, { when: ({ object }) => objectKey(object) === key }),
      watch(Secrets, { when: ({ object }) => isToken(object), keys: () => [key] }),
    ],
    async reconcile(_request, { client, informer, now }) {
      const configMap = informer(ConfigMaps).get(key);
      const content = configMap?.data?.kubeconfig;
      if (!configMap || content === undefined) return;
      const wanted: Record<string, string> = {};
      for (const secret of informer(Secrets).list(NAMESPACE)) {
        if (!isToken(secret) || field(secret, 'usage-bootstrap-signing') !== 'true') continue;
        const id = field(secret, 'token-id');
        const value = field(secret, 'token-secret');
        const end = expiration(secret);
        if (id && value && (end === undefined || end > now()))
          wanted[SIGNATURE + id] = detachedSignature(content, id, value);
      }
      const others = Object.entries(configMap.data ?? {}).filter(([name]) => !name.startsWith(SIGNATURE));
      const data = { ...Object.fromEntries(others), ...wanted };
      const same =
        Object.keys(data).length === Object.keys(configMap.data ?? {}).length &&
        Object.entries(data).every(([name, value]) => configMap.data?.[name] === value);
      if (!same) await client.for(ConfigMaps).update({ ...configMap, data });
    },
  });
}

/** A JWS with detached content (RFC 7515, appendix F), HS256 keyed by the token's secret. */
function detachedSignature(content: string, tokenId: string, tokenSecret: string): string {
  const encode = (text: string | Buffer) => Buffer.from(text as string).toString('base64url');
  const header = encode(JSON.stringify({ alg: 'HS256', kid: tokenId }));
  const mac = createHmac('sha256', tokenSecret)
    .update(`${header}.${encode(content)}`)
    .digest();
  return `${header}..${encode(mac)}`;
}
