import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';

type Outcome = AuthenticationResult | undefined;

/** `authenticator`, whose tokens are meant for the API server itself: who asks for other audiences gets no user. */
export function audienceAgnostic(authenticator: Authenticator, audiences: readonly string[]): Authenticator {
  return {
    name: authenticator.name,
    authenticate(request: AuthenticationRequest) {
      const wanted = request.audiences;
      if (!wanted?.length) return authenticator.authenticate(request);
      const granted = audiences.filter((audience) => wanted.includes(audience));
      if (granted.length === 0) return undefined;
      const outcome = authenticator.authenticate(request);
      const complete = (known: Outcome): Outcome => known && { ...known, audiences: granted };
      return outcome instanceof Promise ? outcome.then(complete) : complete(outcome);
    },
  };
}
