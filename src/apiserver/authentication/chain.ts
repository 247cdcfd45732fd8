import type { Logger } from '../../apimachinery/logger.ts';
import type { AuthenticationRequest, AuthenticationResult, Authenticator } from '../../sdk/authentication.ts';
import { withDeadline } from '../../sdk/deadline.ts';
import { SYSTEM_AUTHENTICATED, SYSTEM_UNAUTHENTICATED } from '../../sdk/user.ts';

export interface AuthenticationChainOptions {
  /** Asked in order; the first that knows the user decides. */
  readonly authenticators: readonly Authenticator[];
  readonly logger: Logger;
  /** Of one authenticator; 10,000 when absent. */
  readonly deadlineMs?: number;
}

type Outcome = AuthenticationResult | undefined;

/**
 * Asks authenticators until one knows the user. One that fails or misses its deadline has no opinion. `undefined` at the
 * end means 401. Synchronous authenticators cost no promise. Known users join `system:authenticated`.
 */
export class AuthenticationChain implements Authenticator {
  readonly name = 'union';
  readonly #logger: Logger;
  readonly #deadlineMs: number;
  readonly #completed = new WeakMap<AuthenticationResult, AuthenticationResult>();
  #authenticators: readonly Authenticator[];

  constructor(options: AuthenticationChainOptions) {
    this.#authenticators = [...options.authenticators];
    this.#logger = options.logger;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
  }

  get authenticators(): readonly Authenticator[] {
    return this.#authenticators;
  }

  /** Adds an authenticator at run time, after the others but before the anonymous one; returns its removal. */
  register(authenticator: Authenticator): () => void {
    const anonymous = this.#authenticators.findIndex((known) => known.name === 'anonymous');
    this.#authenticators = this.#authenticators.toSpliced(
      anonymous < 0 ? this.#authenticators.length : anonymous,
      0,
      authenticator,
    );
    return () => {
      this.#authenticators = this.#authenticators.filter((known) => known !== authenticator);
    };
  }

  /** Puts an authenticator in the place of the one of that name, if there is one. */
  replace(name: string, authenticator: Authenticator): void {
    this.#authenticators = this.#authenticators.map((known) => (known.name === name ? authenticator : known));
  }

  authenticate(request: AuthenticationRequest): Outcome | Promise<Outcome> {
    return this.#from(0, request, this.#authenticators);
  }

  #from(
    start: number,
    request: AuthenticationRequest,
    authenticators: readonly Authenticator[],
  ): Outcome | Promise<Outcome> {
    for (let index = start; index < authenticators.length; index++) {
      const authenticator = authenticators[index]!;
      try {
        const outcome = authenticator.authenticate(request);
        if (outcome === undefined) continue;
        if (isPromise(outcome)) return this.#await(outcome, index, request, authenticators);
        return this.#complete(outcome);
      } catch (error) {
        this.#failed(authenticator, error);
      }
    }
    return undefined;
  }

  async #await(
    pending: Promise<Outcome>,
    index: number,
    request: AuthenticationRequest,
    authenticators: readonly Authenticator[],
  ): Promise<Outcome> {
    const authenticator = authenticators[index]!;
    try {
      const outcome = await withDeadline(pending, this.#deadlineMs, `authenticator ${authenticator.name}`);
      if (outcome) return this.#complete(outcome);
    } catch (error) {
      this.#failed(authenticator, error);
    }
    return this.#from(index + 1, request, authenticators);
  }

  #failed(authenticator: Authenticator, error: unknown): void {
    this.#logger.warn({ authenticator: authenticator.name, err: error }, 'authenticator has no opinion: it failed');
  }

  #complete(result: AuthenticationResult): AuthenticationResult {
    const { groups } = result.user;
    if (typeof result.user.name !== 'string' || result.user.name === '' || !Array.isArray(groups)) {
      throw new Error('the authenticator answered with something that is no user');
    }
    if (groups.includes(SYSTEM_AUTHENTICATED) || groups.includes(SYSTEM_UNAUTHENTICATED)) return result;
    const known = this.#completed.get(result);
    if (known) return known;
    const completed = { ...result, user: { ...result.user, groups: [...groups, SYSTEM_AUTHENTICATED] } };
    this.#completed.set(result, completed);
    return completed;
  }
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
