import type { Logger } from '../../apimachinery/logger.ts';
import type { Authorizer } from '../../sdk/authorization.ts';
import type { ReviewClient } from '../authentication/webhook/review-client.ts';
import { openConfigurationFile } from '../configuration-file.ts';
import type { AuthorizationChain } from './chain.ts';
import {
  type AuthorizerConfiguration,
  readAuthorizationConfiguration,
} from './configuration/authorization-configuration.ts';
import { alwaysAllow, alwaysDeny, systemMasters } from './system-masters.ts';
import { WebhookAuthorizer } from './webhook/webhook-authorizer.ts';

export interface ConfiguredAuthorizersOptions {
  readonly chain: AuthorizationChain;
  /** An AuthorizationConfiguration. */
  readonly file: string;
  readonly builtIn: { readonly Node: Authorizer; readonly RBAC: Authorizer };
  /** Reads a kubeconfig, and follows it; without a path: how a Pod reaches its cluster. */
  readonly connect: (kubeConfigFile: string | undefined) => Promise<ReviewClient>;
  readonly logger: Logger;
}

/** Requests that are under way may still ask a webhook of the old configuration. */
const RETIRE_MS = 65_000;

/**
 * Makes the chain ask what an AuthorizationConfiguration lists, after `system:masters`, and follows its file. Throws
 * CodedError ACCESS_CONFIG_INVALID. The result ends it.
 */
export async function addConfiguredAuthorizers(options: ConfiguredAuthorizersOptions): Promise<() => void> {
  const { chain, logger, builtIn } = options;
  let webhooks: readonly WebhookAuthorizer[] = [];
  const retiring = new Map<readonly WebhookAuthorizer[], NodeJS.Timeout>();
  const retire = (old: readonly WebhookAuthorizer[]) => {
    clearTimeout(retiring.get(old));
    retiring.delete(old);
    for (const webhook of old)
      webhook.close().catch((error) => logger.debug({ err: error }, 'a webhook was not left in good order'));
  };

  async function open(configuration: AuthorizerConfiguration, index: number): Promise<Authorizer> {
    switch (configuration.type) {
      case 'Node':
      case 'RBAC':
        return builtIn[configuration.type];
      case 'AlwaysAllow':
        return alwaysAllow;
      case 'AlwaysDeny':
        return alwaysDeny;
      default: {
        const { name, webhook } = configuration;
        try {
          const client = await options.connect(webhook.kubeConfigFile);
          return new WebhookAuthorizer({ name, configuration: webhook, client, logger });
        } catch (cause) {
          const field = `authorizers[${index}].connectionInfo`;
          throw new Error(`${field}: ${(cause as Error).message}`, { cause });
        }
      }
    }
  }

  const unfollow = await openConfigurationFile({
    path: options.file,
    kind: 'AuthorizationConfiguration',
    logger,
    async use(document) {
      const authorizers = await Promise.all(readAuthorizationConfiguration(document).map(open));
      const old = webhooks;
      chain.use([systemMasters, ...authorizers]);
      webhooks = authorizers.filter((authorizer) => authorizer instanceof WebhookAuthorizer);
      if (old.length) retiring.set(old, setTimeout(retire, RETIRE_MS, old).unref());
    },
  });
  return () => {
    unfollow();
    for (const old of [...retiring.keys(), webhooks]) retire(old);
  };
}
