import { timingSafeEqual } from 'node:crypto';
import type { Secret } from '../../api/types/core.v1.gen.ts';
import type { Logger } from '../../apimachinery/logger.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import type { ObjectGetter } from './object-getter.ts';

const TOKEN = /^([a-z0-9]{6})\.([a-z0-9]{16})$/;
const EXTRA_GROUP = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;

/** `id.secret` tokens kept in Secrets `bootstrap-token-ID` of kube-system: how a new node introduces itself. */
export function createBootstrapTokenAuthenticator(options: {
  readonly getter: ObjectGetter;
  readonly logger: Logger;
  readonly now?: () => number;
}): Authenticator {
  const now = options.now ?? Date.now;

  function check(secret: Secret | undefined, id: string, given: string): AuthenticationResult | undefined {
    const refuse = (why: string) => {
      options.logger.debug({ tokenId: id }, `bootstrap token refused: ${why}`);
      return undefined;
    };
    if (!secret) return refuse('there is no such Secret');
    if (secret.metadata.deletionTimestamp !== undefined) return refuse('its Secret is being deleted');
    if (secret.type !== 'bootstrap.kubernetes.io/token') return refuse('its Secret is of another type');
    const field = (key: string) => Buffer.from(secret.data?.[key] ?? '', 'base64').toString('utf8');
    if (field('token-id') !== id) return refuse('the token-id in its Secret differs');
    const expected = Buffer.from(field('token-secret'));
    const actual = Buffer.from(given);
    if (expected.length !== actual.length || !timingSafeEqual(expected, actual))
      return refuse('the secret part differs');
    const expiration = field('expiration');
    if (expiration && !(Date.parse(expiration) > now())) return refuse('it has expired');
    if (field('usage-bootstrap-authentication') !== 'true') return refuse('it is not meant for authentication');
    const extraGroups = field('auth-extra-groups').split(',').filter(Boolean);
    if (extraGroups.some((group) => !EXTRA_GROUP.test(group)))
      return refuse('auth-extra-groups names a group that is no bootstrappers group');
    return { user: { name: `system:bootstrap:${id}`, groups: ['system:bootstrappers', ...new Set(extraGroups)] } };
  }

  return {
    name: 'bootstrap-token',
    authenticate(request: AuthenticationRequest) {
      const match = request.bearerToken === undefined ? null : TOKEN.exec(request.bearerToken);
      if (!match) return undefined;
      const [, id, given] = match as unknown as [string, string, string];
      const cached = options.getter.get('secrets', `bootstrap-token-${id}`, 'kube-system');
      if (cached || !options.getter.fetch) return check(cached, id, given);
      return options.getter
        .fetch('secrets', `bootstrap-token-${id}`, 'kube-system')
        .then((secret) => check(secret, id, given));
    },
  };
}
