import type { MetricFamily } from './exposition.ts';
import { exponentialBounds, Histogram } from './histogram.ts';

const BOUNDS = exponentialBounds(0.001, 2, 15);

type AuthenticationResult = 'success' | 'failure' | 'error';
type AuthorizationResult = 'allowed' | 'denied' | 'no-opinion';

/** Known to metrics by their names; users are not told of otherwise. */
const NAMED = new Set(['admin', 'client', 'kube_proxy', 'kubelet', 'system:serviceaccount:kube-system:default']);

/** How requests were authenticated and authorized. */
export class AccessMetrics {
  readonly #authentication = new Map<AuthenticationResult, Histogram>();
  readonly #authorization = new Map<AuthorizationResult, Histogram>();
  readonly #users = new Map<string, number>();

  /** `username`: of those that were known. */
  authenticated(result: AuthenticationResult, seconds: number, username?: string): void {
    observe(this.#authentication, result, seconds);
    if (username === undefined) return;
    const name = NAMED.has(username) ? username : username.includes('@') ? 'email_id' : 'other';
    this.#users.set(name, (this.#users.get(name) ?? 0) + 1);
  }

  authorized(decision: 'allow' | 'deny' | 'noOpinion', seconds: number): void {
    const result = decision === 'allow' ? 'allowed' : decision === 'deny' ? 'denied' : 'no-opinion';
    observe(this.#authorization, result, seconds);
  }

  *families(): Iterable<MetricFamily> {
    yield {
      type: 'counter',
      name: 'authenticated_user_requests',
      help: 'Authenticated requests by user name.',
      samples: [...this.#users].map(([username, value]) => ({ labels: { username }, value })),
    };
    yield counts('authentication_attempts', 'Attempts to authenticate, by result.', this.#authentication);
    yield durations(
      'authentication_duration_seconds',
      'How long authentication took, by result.',
      this.#authentication,
    );
    yield counts('authorization_attempts_total', 'Attempts to authorize, by result.', this.#authorization);
    yield durations('authorization_duration_seconds', 'How long authorization took, by result.', this.#authorization);
  }
}

function observe<R extends string>(by: Map<R, Histogram>, result: R, seconds: number): void {
  let histogram = by.get(result);
  if (!histogram) {
    histogram = new Histogram(BOUNDS);
    by.set(result, histogram);
  }
  histogram.observe(seconds);
}

const counts = (name: string, help: string, by: ReadonlyMap<string, Histogram>): MetricFamily => ({
  type: 'counter',
  name,
  help,
  samples: [...by].map(([result, { count }]) => ({ labels: { result }, value: count })),
});

const durations = (name: string, help: string, by: ReadonlyMap<string, Histogram>): MetricFamily => ({
  type: 'histogram',
  name,
  help,
  samples: [...by].map(([result, histogram]) => histogram.sample({ result })),
});
