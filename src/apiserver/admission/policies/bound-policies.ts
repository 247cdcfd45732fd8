import type { UnstructuredObject } from '../../../apimachinery/meta.ts';
import type { BindingSpec, CompiledPolicy, PolicySpec } from './compiled-policy.ts';

export interface PolicyBinding<B extends BindingSpec> {
  readonly name: string;
  readonly spec: B;
}

export interface BoundPolicy<P, B extends BindingSpec> {
  readonly name: string;
  readonly policy: P;
  readonly bindings: readonly PolicyBinding<B>[];
}

/** Policies of one sort with their bindings, by name; a policy that nothing binds does nothing. */
export class BoundPolicies<
  S extends PolicySpec,
  P extends CompiledPolicy,
  B extends BindingSpec & { readonly policyName?: string },
> {
  readonly #compile: (spec: S) => P;
  readonly #policies = new Map<string, P>();
  readonly #bindings = new Map<string, B>();
  #all: readonly BoundPolicy<P, B>[] | undefined;

  constructor(compile: (spec: S) => P) {
    this.#compile = compile;
  }

  upsert(resource: string, object: UnstructuredObject): void {
    const { metadata, spec } = object as UnstructuredObject & { spec: unknown };
    if (isBinding(resource)) this.#bindings.set(metadata.name, spec as B);
    else this.#policies.set(metadata.name, this.#compile(spec as S));
    this.#all = undefined;
  }

  remove(resource: string, { metadata: { name } }: UnstructuredObject): void {
    if (isBinding(resource)) this.#bindings.delete(name);
    else this.#policies.delete(name);
    this.#all = undefined;
  }

  all(): readonly BoundPolicy<P, B>[] {
    this.#all ??= [...this.#policies]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, policy]) => ({
        name,
        policy,
        bindings: [...this.#bindings]
          .filter(([, spec]) => spec.policyName === name)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([binding, spec]) => ({ name: binding, spec })),
      }))
      .filter(({ bindings }) => bindings.length > 0);
    return this.#all;
  }
}

const isBinding = (resource: string) => resource.includes('policybindings.');
