import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule,
  Role,
  RoleBinding,
  RoleRef,
  Subject,
} from '../../../api/types/rbac.v1.gen.ts';
import type { UserInfo } from '../../../sdk/user.ts';
import { compileRules, type RuleMatcher } from './rule-matcher.ts';

export type RbacObject = Role | ClusterRole | RoleBinding | ClusterRoleBinding;

/** Where the index gets its objects: all there are at once, then every change. The watch cache offers it. */
export interface RbacSource {
  /** Calls back for the objects there are before it returns. The result ends the subscription. */
  subscribe(listener: { upsert(object: RbacObject): void; remove(object: RbacObject): void }): () => void;
}

/** One binding as it applies to one of its subjects. */
export interface Grant {
  readonly roleKey: string;
  /** `ClusterRoleBinding "x" of ClusterRole "y" to Group "z"`. */
  readonly description: string;
}

interface IndexedRole {
  readonly rules: readonly PolicyRule[];
  readonly matchers: readonly RuleMatcher[];
}

type GrantsByNamespace = Map<string, Map<string, Grant>>;
const CLUSTER = '';

/** Roles and bindings by what a decision asks for: subject, then namespace. Kept up to date change by change. */
export class RbacIndex {
  readonly #roles = new Map<string, IndexedRole>();
  readonly #users = new Map<string, GrantsByNamespace>();
  readonly #groups = new Map<string, GrantsByNamespace>();
  readonly #undo = new Map<string, () => void>();

  upsert(object: RbacObject): void {
    if (isBinding(object)) this.#addBinding(object);
    else this.#roles.set(roleKeyOf(object), { rules: object.rules ?? [], matchers: compileRules(object.rules) });
  }

  remove(object: RbacObject): void {
    if (isBinding(object)) this.#removeBinding(bindingKey(object));
    else this.#roles.delete(roleKeyOf(object));
  }

  role(key: string): IndexedRole | undefined {
    return this.#roles.get(key);
  }

  /** Visits grants that hold for the user, cluster-wide ones first, until `visit` returns true. */
  visit(user: UserInfo, namespace: string, visit: (grant: Grant) => boolean): void {
    if (this.#visitIn(user, CLUSTER, visit) || namespace === '') return;
    this.#visitIn(user, namespace, visit);
  }

  #visitIn(user: UserInfo, namespace: string, visit: (grant: Grant) => boolean): boolean {
    const own = this.#users.get(user.name)?.get(namespace);
    if (own) for (const grant of own.values()) if (visit(grant)) return true;
    for (const group of user.groups) {
      const grants = this.#groups.get(group)?.get(namespace);
      if (grants) for (const grant of grants.values()) if (visit(grant)) return true;
    }
    return false;
  }

  #addBinding(binding: RoleBinding | ClusterRoleBinding): void {
    const key = bindingKey(binding);
    this.#removeBinding(key);
    const namespace = binding.kind === 'RoleBinding' ? (binding.metadata.namespace ?? '') : CLUSTER;
    const roleKey = roleRefKey(binding.roleRef, namespace);
    const added: (() => void)[] = [];
    (binding.subjects ?? []).forEach((subject, position) => {
      const target = subject.kind === 'Group' ? this.#groups : this.#users;
      const name = subjectName(subject, namespace);
      if (name === undefined) return;
      added.push(
        insert(target, name, namespace, `${key}#${position}`, {
          roleKey,
          description: describe(binding, subject, namespace),
        }),
      );
    });
    this.#undo.set(key, () => {
      for (const undo of added) undo();
    });
  }

  #removeBinding(key: string): void {
    this.#undo.get(key)?.();
    this.#undo.delete(key);
  }
}

function insert(
  target: Map<string, GrantsByNamespace>,
  name: string,
  namespace: string,
  key: string,
  grant: Grant,
): () => void {
  const byNamespace = entry(target, name);
  const grants = entry(byNamespace, namespace);
  grants.set(key, grant);
  return () => {
    grants.delete(key);
    if (grants.size === 0 && byNamespace.get(namespace) === grants) byNamespace.delete(namespace);
    if (byNamespace.size === 0 && target.get(name) === byNamespace) target.delete(name);
  };
}

function entry<V>(map: Map<string, Map<string, V>>, key: string): Map<string, V> {
  let value = map.get(key);
  if (!value) {
    value = new Map();
    map.set(key, value);
  }
  return value;
}

const isBinding = (object: RbacObject): object is RoleBinding | ClusterRoleBinding =>
  object.kind === 'RoleBinding' || object.kind === 'ClusterRoleBinding';
const bindingKey = (binding: RoleBinding | ClusterRoleBinding) =>
  `${binding.kind}/${binding.metadata.namespace ?? ''}/${binding.metadata.name}`;
const roleKeyOf = (role: Role | ClusterRole) =>
  role.kind === 'ClusterRole'
    ? `ClusterRole//${role.metadata.name}`
    : `Role/${role.metadata.namespace ?? ''}/${role.metadata.name}`;

/** The key of the role that a binding in `namespace` refers to. */
export const roleRefKey = (reference: RoleRef, namespace: string) =>
  reference.kind === 'ClusterRole' ? `ClusterRole//${reference.name}` : `Role/${namespace}/${reference.name}`;

/** `clusterrole.rbac.authorization.k8s.io "x" not found`: a binding outlives its role. */
export function missingRole(roleKey: string): string {
  const [kind, , name] = roleKey.split('/') as [string, string, string];
  return `${kind.toLowerCase()}.rbac.authorization.k8s.io ${JSON.stringify(name)} not found`;
}

function subjectName(subject: Subject, namespace: string): string | undefined {
  if (subject.kind !== 'ServiceAccount') return subject.name;
  const accountNamespace = subject.namespace || namespace;
  return accountNamespace ? `system:serviceaccount:${accountNamespace}:${subject.name}` : undefined;
}

function describe(binding: RoleBinding | ClusterRoleBinding, subject: Subject, namespace: string): string {
  const quote = JSON.stringify;
  const name = namespace ? `${binding.metadata.name}/${namespace}` : binding.metadata.name;
  const to = subject.kind === 'ServiceAccount' ? `${subject.name}/${subject.namespace || namespace}` : subject.name;
  return `${binding.kind} ${quote(name)} of ${binding.roleRef.kind} ${quote(binding.roleRef.name)} to ${subject.kind} ${quote(to)}`;
}
