import type { Logger } from '../../apimachinery/logger.ts';
import type { Authenticator } from '../../sdk/authentication.ts';
import { createAnonymousAuthenticator } from './anonymous.ts';
import { audienceAgnostic } from './audience-agnostic.ts';
import { createBootstrapTokenAuthenticator } from './bootstrap-token.ts';
import { createLegacyTokenAuthenticator } from './legacy-token.ts';
import type { ObjectGetter } from './object-getter.ts';
import { createRequestHeaderAuthenticator } from './request-header.ts';
import { createServiceAccountAuthenticator } from './service-account.ts';
import type { TokenKeys } from './token-keys.ts';
import { createX509Authenticator } from './x509.ts';

export interface DefaultAuthenticatorsOptions {
  readonly getter: ObjectGetter;
  readonly keys: TokenKeys;
  readonly issuers: readonly string[];
  readonly audiences: readonly string[];
  readonly logger: Logger;
  /** PEM, current at each call. */
  readonly clientCAs?: () => readonly string[];
  readonly frontProxy?: { readonly cas: () => readonly string[]; readonly allowedNames?: readonly string[] };
  readonly anonymousPaths?: readonly string[];
  readonly noteLegacyTokenUse?: NonNullable<Parameters<typeof createLegacyTokenAuthenticator>[0]['noteUse']>;
}

/** The built-in authenticators in the order in which upstream asks them. */
export function defaultAuthenticators(options: DefaultAuthenticatorsOptions): readonly Authenticator[] {
  const { getter, keys, issuers, audiences, logger } = options;
  return [
    ...(options.frontProxy
      ? [
          createRequestHeaderAuthenticator({
            proxyCAs: options.frontProxy.cas,
            ...(options.frontProxy.allowedNames ? { allowedNames: options.frontProxy.allowedNames } : {}),
          }),
        ]
      : []),
    createX509Authenticator(options.clientCAs ? { clientCAs: options.clientCAs } : {}),
    createServiceAccountAuthenticator({ keys, issuers, audiences, getter, logger }),
    createLegacyTokenAuthenticator({
      keys,
      audiences,
      getter,
      logger,
      ...(options.noteLegacyTokenUse ? { noteUse: options.noteLegacyTokenUse } : {}),
    }),
    audienceAgnostic(createBootstrapTokenAuthenticator({ getter, logger }), audiences),
    createAnonymousAuthenticator(options.anonymousPaths ? { paths: options.anonymousPaths } : {}),
  ];
}
