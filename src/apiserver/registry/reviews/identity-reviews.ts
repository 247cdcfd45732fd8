import type { KindDefinition } from '../../../api/kind.ts';
import { badRequest } from '../../../apimachinery/status-error.ts';
import type { Authenticator } from '../../../sdk/authentication.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import type { RequestContext } from '../../request/request-context.ts';
import { objectResult, type Result } from '../../request/result.ts';
import type { RegistryServices } from '../registry-services.ts';
import { readReview } from './access-reviews.ts';

/** SelfSubjectReview: `kubectl auth whoami`. */
export async function reviewSelf(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
): Promise<Result> {
  const review = await readReview(services, context, definition);
  review.status = { userInfo: userInfo(context.user) };
  return objectResult(review, 201);
}

/** TokenReview: whose token it is. */
export async function reviewToken(
  services: RegistryServices,
  context: RequestContext,
  definition: KindDefinition,
  authentication: Authenticator,
): Promise<Result> {
  const { token, audiences } = await specOf(services, context, definition);
  if (!token.token) throw badRequest('token is required for TokenReview in authentication');
  const result = await authentication.authenticate({
    headers: {},
    bearerToken: token.token,
    ...(audiences ? { audiences } : {}),
  });
  token.review.status = result
    ? {
        authenticated: true,
        user: userInfo(result.user),
        ...(result.audiences?.length ? { audiences: result.audiences } : {}),
      }
    : { user: {}, error: 'invalid bearer token' };
  return objectResult(token.review, 201);
}

async function specOf(services: RegistryServices, context: RequestContext, definition: KindDefinition) {
  const review = await readReview(services, context, definition);
  const { token, audiences } = (review.spec ?? {}) as { token?: string; audiences?: readonly string[] };
  return { token: { review, token }, audiences: audiences?.length ? audiences : undefined };
}

function userInfo({ name, uid, groups, extra }: UserInfo) {
  return { username: name, ...(uid ? { uid } : {}), groups, ...(extra ? { extra } : {}) };
}
