import type { Logger } from '../../apimachinery/logger.ts';
import type {
  AuthorizationAttributes,
  AuthorizationDecision,
  Authorizer,
  NonResourceRule,
  ResourceRule,
} from '../../sdk/authorization.ts';
import { withDeadline } from '../../sdk/deadline.ts';
import type { UserInfo } from '../../sdk/user.ts';
import type { MetricSource } from '../health/exposition.ts';
import { systemMasters } from './system-masters.ts';

export interface AuthorizationChainOptions {
  /** Asked in order; the first that allows or denies decides. */
  readonly authorizers: readonly Authorizer[];
  readonly logger: Logger;
  /** Of one authorizer; 10,000 when absent. */
  readonly deadlineMs?: number;
}

export interface RulesReview {
  readonly resource: readonly ResourceRule[];
  readonly nonResource: readonly NonResourceRule[];
  /** An authorizer could not list its rules. */
  readonly incomplete: boolean;
  readonly evaluationError?: string;
}

type Decision = AuthorizationDecision;

const BUILT_IN = new Set(['Node', 'RBAC']);

/** Asks authorizers until one decides; denies when none does, and when one fails. Synchronous authorizers cost no promise. */
export class AuthorizationChain implements Authorizer {
  readonly name = 'union';
  readonly #logger: Logger;
  readonly #deadlineMs: number;
  #registered: readonly { readonly authorizer: Authorizer; readonly before: string | undefined }[] = [];
  #authorizers: readonly Authorizer[];
  /** By the authorizer's name. */
  readonly #decisions = new Map<string, { allow: number; deny: number }>();

  constructor(options: AuthorizationChainOptions) {
    this.#authorizers = [...options.authorizers];
    this.#logger = options.logger;
    this.#deadlineMs = options.deadlineMs ?? 10_000;
  }

  get authorizers(): readonly Authorizer[] {
    return this.#authorizers;
  }

  /** Asks these from now on, and those that were registered at run time at their places among them. */
  use(authorizers: readonly Authorizer[]): void {
    this.#authorizers = this.#registered.reduce(
      (known, { authorizer, before }) => inserted(known, authorizer, before),
      authorizers,
    );
  }

  /** Adds an authorizer at run time: last, or before the one named `before`. Returns its removal. */
  register(authorizer: Authorizer, options: { readonly before?: string } = {}): () => void {
    const { before } = options;
    this.#registered = [...this.#registered, { authorizer, before }];
    this.#authorizers = inserted(this.#authorizers, authorizer, before);
    return () => {
      this.#registered = this.#registered.filter((known) => known.authorizer !== authorizer);
      this.#authorizers = this.#authorizers.filter((known) => known !== authorizer);
    };
  }

  authorize(attributes: AuthorizationAttributes): Decision | Promise<Decision> {
    return this.#from(0, attributes, this.#authorizers, []);
  }

  /** What a user may do in a namespace, as far as the authorizers can list it: for SelfSubjectRulesReview. */
  rulesFor(user: UserInfo, namespace: string): RulesReview {
    const resource: ResourceRule[] = [];
    const nonResource: NonResourceRule[] = [];
    const errors: string[] = [];
    let incomplete = false;
    for (const authorizer of this.#authorizers) {
      const rules = authorizer.rulesFor?.(user, namespace);
      if (!rules) {
        incomplete = true;
        errors.push(`${authorizer.name.toLowerCase()} authorizer does not support user rule resolution`);
        continue;
      }
      resource.push(...rules.resource);
      nonResource.push(...rules.nonResource);
      errors.push(...(rules.errors ?? []));
    }
    const distinct = [...new Set(errors)];
    const evaluationError = distinct.length > 1 ? `[${distinct.join(', ')}]` : distinct[0];
    return { resource, nonResource, incomplete, ...(evaluationError ? { evaluationError } : {}) };
  }

  #from(
    start: number,
    attributes: AuthorizationAttributes,
    authorizers: readonly Authorizer[],
    reasons: string[],
  ): Decision | Promise<Decision> {
    for (let index = start; index < authorizers.length; index++) {
      const authorizer = authorizers[index]!;
      let decision: Decision | Promise<Decision>;
      try {
        decision = authorizer.authorize(attributes);
      } catch (error) {
        return this.#failed(authorizer, error);
      }
      if (isPromise(decision)) return this.#await(decision, index, attributes, authorizers, reasons);
      if (decision.decision !== 'noOpinion') return this.#decided(authorizer, decision);
      if (decision.reason) reasons.push(decision.reason);
    }
    return { decision: 'noOpinion', reason: reasons.join('\n') };
  }

  async #await(
    pending: Promise<Decision>,
    index: number,
    attributes: AuthorizationAttributes,
    authorizers: readonly Authorizer[],
    reasons: string[],
  ): Promise<Decision> {
    const authorizer = authorizers[index]!;
    try {
      const decision = await withDeadline(
        pending,
        authorizer.deadlineMs ?? this.#deadlineMs,
        `authorizer ${authorizer.name}`,
      );
      if (decision.decision !== 'noOpinion') return this.#decided(authorizer, decision);
      if (decision.reason) reasons.push(decision.reason);
    } catch (error) {
      return this.#failed(authorizer, error);
    }
    return this.#from(index + 1, attributes, authorizers, reasons);
  }

  #decided({ name }: Authorizer, decision: Decision): Decision {
    let counts = this.#decisions.get(name);
    if (!counts) {
      counts = { allow: 0, deny: 0 };
      this.#decisions.set(name, counts);
    }
    counts[decision.decision === 'allow' ? 'allow' : 'deny']++;
    return decision;
  }

  readonly families: MetricSource = () => [
    {
      type: 'counter',
      name: 'apiserver_authorization_decisions_total',
      help: 'Decisions by the authorizer that made them; members of system:masters are not asked about.',
      samples: [...this.#decisions]
        .filter(([name]) => name !== systemMasters.name)
        .flatMap(([name, { allow, deny }]) => {
          const labels = BUILT_IN.has(name) ? { name: name.toLowerCase(), type: name } : { name, type: 'Webhook' };
          return [
            { labels: { decision: 'allowed', ...labels }, value: allow },
            { labels: { decision: 'denied', ...labels }, value: deny },
          ].filter(({ value }) => value > 0);
        }),
    },
  ];

  #failed(authorizer: Authorizer, error: unknown): Decision {
    this.#logger.error({ authorizer: authorizer.name, err: error }, 'request denied: an authorizer failed');
    return { decision: 'deny', reason: `the ${authorizer.name} authorizer failed` };
  }
}

function inserted(known: readonly Authorizer[], authorizer: Authorizer, before: string | undefined) {
  const index = before === undefined ? -1 : known.findIndex(({ name }) => name === before);
  return known.toSpliced(index < 0 ? known.length : index, 0, authorizer);
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown }).then === 'function';
}
