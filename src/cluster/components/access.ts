import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '../../apimachinery/logger.ts';
import type { ReviewClient, WebhookConnection } from '../../apiserver/authentication/webhook/review-client.ts';
import type { Security } from '../../apiserver/security.ts';
import type { ClusterConfig } from '../options.ts';

const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount';

/**
 * Authenticators and authorizers of the files that the user gave. Throws CodedError ACCESS_CONFIG_INVALID with file, field and
 * cause. The result ends them; undefined when there is none.
 */
export async function configureAccess(
  config: Pick<ClusterConfig, 'authenticationConfig' | 'authenticationTokenWebhookConfigFile' | 'authorizationConfig'>,
  security: Security,
  logger: Logger,
): Promise<(() => void) | undefined> {
  const { authenticationConfig, authenticationTokenWebhookConfigFile: tokenWebhook, authorizationConfig } = config;
  const ends: (() => void)[] = [];
  const end = () => {
    for (const one of ends.splice(0)) one();
  };
  try {
    if (authenticationConfig) {
      const { addConfiguredAuthenticators } = await import(
        '../../apiserver/authentication/configured-authenticators.ts'
      );
      ends.push(
        await addConfiguredAuthenticators({
          chain: security.authentication,
          file: authenticationConfig,
          serviceAccountIssuers: [security.tokenIssuer.issuer],
          audiences: security.audiences,
          logger,
        }),
      );
    }
    if (tokenWebhook) ends.push(await addTokenWebhook(tokenWebhook, security, logger));
    if (authorizationConfig) {
      const { addConfiguredAuthorizers } = await import('../../apiserver/authorization/configured-authorizers.ts');
      ends.push(
        await addConfiguredAuthorizers({
          chain: security.authorization,
          file: authorizationConfig,
          builtIn: security.authorizers,
          connect: (file) => (file === undefined ? inClusterClient() : followKubeconfig(file, logger)),
          logger,
        }),
      );
    }
  } catch (error) {
    end();
    throw error;
  }
  return ends.length ? end : undefined;
}

async function addTokenWebhook(
  file: string,
  { authentication, audiences }: Security,
  logger: Logger,
): Promise<() => void> {
  const { createTokenReviewAuthenticator } = await import(
    '../../apiserver/authentication/webhook/token-review-authenticator.ts'
  );
  const client = await followKubeconfig(file, logger);
  const remove = authentication.register(createTokenReviewAuthenticator({ client, audiences }));
  return () => {
    remove();
    client.close().catch(() => undefined);
  };
}

/**
 * Who asks the webhook of a kubeconfig file, and goes where the file says when it changes. Throws CodedError with `code`,
 * ACCESS_CONFIG_INVALID when absent.
 */
export async function followKubeconfig(file: string, logger: Logger, code?: string): Promise<ReviewClient> {
  const [{ ReviewClient }, { openConfigurationFile }] = await Promise.all([
    import('../../apiserver/authentication/webhook/review-client.ts'),
    import('../../apiserver/configuration-file.ts'),
  ]);
  let client: ReviewClient | undefined;
  let unfollow: (() => void) | undefined;
  unfollow = await openConfigurationFile({
    path: file,
    kind: 'kubeconfig',
    ...(code ? { code } : {}),
    logger,
    async use(document) {
      const connection = await connectionOf(document, dirname(file));
      if (client) client.use(connection);
      else client = new ReviewClient(connection, { onClose: () => unfollow?.() });
    },
  });
  return client!;
}

/** How the webhook of a kubeconfig is reached; its relative paths are in `baseDir`. */
export async function connectionOf(kubeconfig: unknown, baseDir: string): Promise<WebhookConnection> {
  const { loadKubeconfig } = await import('../../client/kubeconfig.ts');
  const connection = await loadKubeconfig(JSON.stringify(kubeconfig), { baseDir });
  const { ca, cert, key } = connection;
  return { ...connection, ca: material(ca), cert: material(cert), key: material(key) };
}

function material(given: string | Uint8Array | undefined): string | Buffer | undefined {
  return given === undefined || typeof given === 'string' ? given : Buffer.from(given);
}

async function inClusterClient(): Promise<ReviewClient> {
  const { ReviewClient } = await import('../../apiserver/authentication/webhook/review-client.ts');
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port } = process.env;
  if (!host || !port)
    throw new Error(
      'unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined',
    );
  return new ReviewClient({
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: await readFile(`${SERVICE_ACCOUNT}/ca.crt`),
    tokenFile: `${SERVICE_ACCOUNT}/token`,
  });
}
