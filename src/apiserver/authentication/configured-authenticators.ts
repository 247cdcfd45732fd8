import type { Logger } from '../../apimachinery/logger.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import { openConfigurationFile } from '../configuration-file.ts';
import { createAnonymousAuthenticator } from './anonymous.ts';
import type { AuthenticationChain } from './chain.ts';
import {
  type AnonymousConfiguration,
  readAuthenticationConfiguration,
} from './configuration/authentication-configuration.ts';
import { JwtAuthenticator } from './oidc/jwt-authenticator.ts';

export interface ConfiguredAuthenticatorsOptions {
  readonly chain: AuthenticationChain;
  /** An AuthenticationConfiguration. */
  readonly file: string;
  /** Of ServiceAccount tokens. */
  readonly serviceAccountIssuers: readonly string[];
  readonly audiences: readonly string[];
  readonly logger: Logger;
  readonly now?: () => number;
}

/** Requests that are under way may still need the issuers of the old configuration. */
const RETIRE_MS = 15_000;

/**
 * Puts the authenticators of an AuthenticationConfiguration into the chain, and follows its file. Throws CodedError
 * ACCESS_CONFIG_INVALID. The result ends it.
 */
export async function addConfiguredAuthenticators(options: ConfiguredAuthenticatorsOptions): Promise<() => void> {
  const { chain, logger, audiences, now = Date.now } = options;
  const original = chain.authenticators.find(({ name }) => name === 'anonymous');
  let jwt: JwtAuthenticator | undefined;
  let anonymous = original;
  const retiring = new Map<JwtAuthenticator, NodeJS.Timeout>();
  const retire = (old: JwtAuthenticator) => {
    clearTimeout(retiring.get(old));
    retiring.delete(old);
    old.close().catch((error) => logger.debug({ err: error }, 'an issuer was not left in good order'));
  };
  const unfollow = await openConfigurationFile({
    path: options.file,
    kind: 'AuthenticationConfiguration',
    logger,
    async use(document) {
      const configuration = readAuthenticationConfiguration(document, options.serviceAccountIssuers);
      const old = jwt;
      jwt = new JwtAuthenticator({ configurations: configuration.jwt, apiAudiences: audiences, logger, now });
      anonymous = configuration.anonymous ? configuredAnonymous(configuration.anonymous) : original;
      if (old) retiring.set(old, setTimeout(retire, RETIRE_MS, old).unref());
    },
  });
  chain.register({ name: 'jwt', authenticate: (request) => jwt?.authenticate(request) });
  chain.replace('anonymous', { name: 'anonymous', authenticate: (request) => anonymous?.authenticate(request) });
  return () => {
    unfollow();
    for (const old of [...retiring.keys(), ...(jwt ? [jwt] : [])]) retire(old);
  };
}

/** Whole paths, as upstream compares them. */
function configuredAnonymous({ enabled, paths }: AnonymousConfiguration): Authenticator {
  if (!enabled) return { name: 'anonymous', authenticate: () => undefined };
  if (paths.length) return createAnonymousAuthenticator({ allows: (path) => paths.includes(path) });
  return createAnonymousAuthenticator({ allows: () => true });
}
