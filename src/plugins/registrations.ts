import { isStatusError } from '../apimachinery/status-error.ts';
import type { AdmissionAttributes, AdmissionStep } from '../sdk/admission.ts';
import type { Authenticator } from '../sdk/authentication.ts';
import type { Authorizer } from '../sdk/authorization.ts';
import { withDeadline } from '../sdk/deadline.ts';
import type { PluginContextOf, PluginType } from '../sdk/plugin.ts';
import type { UserInfo } from '../sdk/user.ts';

/** The places in the API server where plugins take part. Each `register` returns its removal. */
export interface ExtensionPoints {
  readonly authentication?: { register(authenticator: Authenticator): () => void };
  readonly authorization?: { register(authorizer: Authorizer, options?: { readonly before?: string }): () => void };
  readonly admission?: { register(step: AdmissionStep): () => void };
}

export interface GuardOptions {
  readonly plugin: string;
  /** Of one call into the plugin. */
  readonly callDeadlineMs: number;
  /** Runs a call of the plugin, so that errors it lets loose later are known to be the plugin's. */
  readonly inPlugin: <T>(call: () => T) => T;
  /** False once the plugin has crashed: its registrations fail until it is started again. */
  isAlive(): boolean;
  /** A call failed or was late. */
  onFailure(error: unknown): void;
  onSuccess(): void;
}

/** What one configuration of a plugin registers. It takes effect with `activate` and ends with `remove`. */
export class Registrations {
  readonly #points: ExtensionPoints;
  readonly #guard: GuardOptions;
  readonly #pending: (() => () => void)[] = [];
  readonly #removals: (() => void)[] = [];
  #state: 'collecting' | 'active' | 'removed' = 'collecting';

  constructor(points: ExtensionPoints, guard: GuardOptions) {
    this.#points = points;
    this.#guard = guard;
  }

  /** The part of the plugin's context that belongs to its type. */
  contextFor(type: PluginType): Partial<Omit<PluginContextOf<PluginType>, 'name'>> {
    const { plugin } = this.#guard;
    const point = <P>(value: P | undefined): P => {
      if (!value) throw new Error(`plugin ${plugin}: this cluster takes no ${type} plugins`);
      return value;
    };
    switch (type) {
      case 'authentication':
        return {
          authentication: {
            register: (given: Authenticator) =>
              this.#add(() => point(this.#points.authentication).register(guardAuthenticator(given, this.#guard))),
          },
        } as never;
      case 'authorization':
        return {
          authorization: {
            register: (given: Authorizer, options?: { readonly before?: 'RBAC' }) =>
              this.#add(() =>
                point(this.#points.authorization).register(guardAuthorizer(given, this.#guard), options ?? {}),
              ),
          },
        } as never;
      case 'admission':
        return {
          admission: {
            register: (given: AdmissionStep, options?: { readonly failurePolicy?: 'Fail' | 'Ignore' }) =>
              this.#add(() =>
                point(this.#points.admission).register(guardStep(given, options?.failurePolicy ?? 'Fail', this.#guard)),
              ),
          },
        } as never;
      default:
        return {};
    }
  }

  activate(): void {
    if (this.#state !== 'collecting') return;
    this.#state = 'active';
    for (const register of this.#pending) this.#removals.push(register());
  }

  remove(): void {
    this.#state = 'removed';
    for (const remove of this.#removals.splice(0)) remove();
  }

  #add(register: () => () => void): void {
    if (this.#state === 'removed')
      throw new Error(`plugin ${this.#guard.plugin} has stopped; it can register nothing more`);
    if (this.#state === 'active') this.#removals.push(register());
    else this.#pending.push(register);
  }
}

/** The cluster's own components: a plugin that fails must not stand in their way. */
export function isControlPlane({ name, groups }: UserInfo): boolean {
  return (
    groups.includes('system:masters') ||
    groups.includes('system:nodes') ||
    name.startsWith('system:kube-') ||
    name.startsWith('system:serviceaccount:kube-system:')
  );
}

/** Calls the plugin within its deadline; synchronous answers stay synchronous. */
function call<T>(guard: GuardOptions, what: string, invoke: () => T | Promise<T>): T | Promise<T> {
  const failed = (error: unknown): never => {
    // A StatusError is an answer, not a failure.
    if (!isStatusError(error)) guard.onFailure(error);
    throw error;
  };
  if (!guard.isAlive()) throw new Error(`plugin ${guard.plugin} has crashed and is about to be started again`);
  let result: T | Promise<T>;
  try {
    result = guard.inPlugin(invoke);
  } catch (error) {
    return failed(error);
  }
  if (typeof (result as { then?: unknown } | undefined)?.then !== 'function') {
    guard.onSuccess();
    return result;
  }
  return withDeadline(Promise.resolve(result), guard.callDeadlineMs, `${what} of plugin ${guard.plugin}`).then(
    (value) => {
      guard.onSuccess();
      return value;
    },
    failed,
  );
}

function guardAuthenticator(given: Authenticator, guard: GuardOptions): Authenticator {
  return {
    name: `plugin ${guard.plugin}`,
    authenticate: (request) => call(guard, 'the authenticator', () => given.authenticate(request)),
  };
}

function guardAuthorizer(given: Authorizer, guard: GuardOptions): Authorizer {
  return {
    name: `plugin ${guard.plugin}`,
    authorize: (attributes) =>
      isControlPlane(attributes.user)
        ? { decision: 'noOpinion' }
        : call(guard, 'the authorizer', () => given.authorize(attributes)),
    ...(given.rulesFor ? { rulesFor: (user, namespace) => given.rulesFor!(user, namespace) } : {}),
  };
}

function guardStep(given: AdmissionStep, failurePolicy: 'Fail' | 'Ignore', guard: GuardOptions): AdmissionStep {
  const survive = (attributes: AdmissionAttributes, error: unknown): void => {
    if (isStatusError(error)) throw error;
    if (failurePolicy === 'Ignore' || isControlPlane(attributes.user)) return;
    throw new Error(
      `admission step ${given.name} of plugin ${guard.plugin} failed: ${(error as Error)?.message ?? error}`,
    );
  };
  const run = (attributes: AdmissionAttributes, invoke: () => void | Promise<void>): void | Promise<void> => {
    try {
      const pending = call<void>(guard, `admission step ${given.name}`, invoke);
      return pending ? pending.catch((error: unknown) => survive(attributes, error)) : undefined;
    } catch (error) {
      survive(attributes, error);
    }
  };
  return {
    name: `${guard.plugin}/${given.name}`,
    handles(attributes) {
      try {
        return given.handles(attributes);
      } catch (error) {
        guard.onFailure(error);
        // Whether it wanted to see the request is unknown, so the request counts as one that it failed on.
        return failurePolicy === 'Fail' && !isControlPlane(attributes.user);
      }
    },
    ...(given.mutate
      ? { mutate: (attributes, object) => run(attributes, () => given.mutate!(attributes, object)) }
      : {}),
    ...(given.validate
      ? { validate: (attributes, object) => run(attributes, () => given.validate!(attributes, object)) }
      : {}),
  };
}
