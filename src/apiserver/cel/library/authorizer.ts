import type { Environment } from '@marcbachmann/cel-js';
import type { AuthorizationAttributes, Authorizer } from '../../../sdk/authorization.ts';
import type { UserInfo } from '../../../sdk/user.ts';

type Check = Partial<AuthorizationAttributes>;

/** `authorizer`: what the user of the request may do. */
export class AuthorizerValue {
  readonly authorizer: Authorizer;
  readonly user: UserInfo;

  constructor(authorizer: Authorizer, user: UserInfo) {
    this.authorizer = authorizer;
    this.user = user;
  }
}

class CheckValue {
  readonly of: AuthorizerValue;
  readonly attributes: Check;

  constructor(of: AuthorizerValue, attributes: Check) {
    this.of = of;
    this.attributes = attributes;
  }

  with(attributes: Check): CheckValue {
    return new CheckValue(this.of, { ...this.attributes, ...attributes });
  }
}

export class ResourceCheckValue extends CheckValue {
  override with(attributes: Check): ResourceCheckValue {
    return new ResourceCheckValue(this.of, { ...this.attributes, ...attributes });
  }
}
class GroupCheckValue extends CheckValue {}
class PathCheckValue extends CheckValue {}

class DecisionValue {
  readonly allowed: boolean;
  readonly reason: string;
  readonly error: string;

  constructor(allowed: boolean, reason: string, error: string) {
    this.allowed = allowed;
    this.reason = reason;
    this.error = error;
  }
}

export function registerAuthorizer(environment: Environment): void {
  const name = 'kubernetes.authorization.';
  const types = {
    Authorizer: AuthorizerValue,
    GroupCheck: GroupCheckValue,
    ResourceCheck: ResourceCheckValue,
    PathCheck: PathCheckValue,
    Decision: DecisionValue,
  };
  for (const [type, ctor] of Object.entries(types)) environment.registerType(name + type, { ctor: ctor as never });
  const add = (signature: string, handler: (...args: never[]) => unknown, async = false) =>
    environment.registerFunction(signature, handler as never, { async } as never);
  add(
    `${name}Authorizer.group(string): ${name}GroupCheck`,
    (a: AuthorizerValue, group: string) => new GroupCheckValue(a, { group }),
  );
  add(
    `${name}Authorizer.path(string): ${name}PathCheck`,
    (a: AuthorizerValue, path: string) => new PathCheckValue(a, { path }),
  );
  add(
    `${name}Authorizer.serviceAccount(string, string): ${name}Authorizer`,
    (a: AuthorizerValue, namespace: string, account: string) =>
      new AuthorizerValue(a.authorizer, {
        name: `system:serviceaccount:${namespace}:${account}`,
        groups: ['system:serviceaccounts', `system:serviceaccounts:${namespace}`, 'system:authenticated'],
      }),
  );
  add(
    `${name}GroupCheck.resource(string): ${name}ResourceCheck`,
    ({ of, attributes }: CheckValue, resource: string) => new ResourceCheckValue(of, { ...attributes, resource }),
  );
  for (const field of ['subresource', 'namespace', 'name', 'fieldSelector', 'labelSelector'] as const)
    add(`${name}ResourceCheck.${field}(string): ${name}ResourceCheck`, (check: ResourceCheckValue, value: string) =>
      check.with({ [field]: value }),
    );
  add(
    `${name}ResourceCheck.check(string): ${name}Decision`,
    (check: CheckValue, verb: string) => decide(check, { resourceRequest: true, verb }),
    true,
  );
  add(
    `${name}PathCheck.check(string): ${name}Decision`,
    (check: CheckValue, verb: string) => decide(check, { resourceRequest: false, verb }),
    true,
  );
  add(`${name}Decision.allowed(): bool`, ({ allowed }: DecisionValue) => allowed);
  add(`${name}Decision.reason(): string`, ({ reason }: DecisionValue) => reason);
  add(`${name}Decision.errored(): bool`, ({ error }: DecisionValue) => error !== '');
  add(`${name}Decision.error(): string`, ({ error }: DecisionValue) => error);
}

async function decide({ of, attributes }: CheckValue, more: Check): Promise<DecisionValue> {
  const none = { group: '', version: '*', resource: '', subresource: '', namespace: '', name: '', path: '' };
  try {
    const asked = { user: of.user, verb: '', resourceRequest: true, ...none, ...attributes, ...more };
    const { decision, reason = '' } = await of.authorizer.authorize(asked);
    return new DecisionValue(decision === 'allow', reason, '');
  } catch (error) {
    return new DecisionValue(false, '', (error as Error).message);
  }
}
