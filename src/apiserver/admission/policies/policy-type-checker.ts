import type { KindDefinition } from '../../../api/kind.ts';
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../../../api/types/admissionregistration.v1.gen.ts';
import { deepEqual } from '../../../apimachinery/deep-equal.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { ADMISSION_TYPES } from '../../cel/admission-types.ts';
import { ExpressionCompiler } from '../../cel/expression.ts';
import { typeOfKind } from '../../cel/kind-types.ts';
import { dyn, type StaticType } from '../../cel/schema-types.ts';
import { analyse } from '../../cel/static-check.ts';
import type { DynamicAdmissionOptions } from '../configured-step.ts';
import { POLICY_VARIABLES } from './compiled-policy.ts';
import { groupVersionOf } from './policy-parameters.ts';

/** Upstream looks at so many kinds and no more. */
const MAX_KINDS = 10;
const MANAGER = 'validatingadmissionpolicy-status';
const PATH = '/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies';

/** What a policy is about, as it is served. */
interface Checked {
  readonly policy: ValidatingAdmissionPolicy;
  readonly kinds: readonly KindDefinition[];
  readonly params: KindDefinition | undefined;
}

/** Says in a policy's status which of its expressions do not fit the kinds they are for, also when these come or change later. */
export class PolicyTypeChecker {
  readonly #options: DynamicAdmissionOptions;
  readonly #policies = new Map<string, Checked>();
  #scheduled = false;

  constructor(options: DynamicAdmissionOptions) {
    this.#options = options;
    options.kinds.onChange(() => {
      if (this.#scheduled || this.#policies.size === 0) return;
      this.#scheduled = true;
      setImmediate(() => this.#kindsChanged());
    });
  }

  check(policy: ValidatingAdmissionPolicy): void {
    const { name, generation = 0, deletionTimestamp } = policy.metadata;
    const checked = this.#lookUp(policy);
    this.#policies.set(name, checked);
    if (generation > (policy.status?.observedGeneration ?? 0) && !deletionTimestamp)
      this.#write(policy, warningsOf(checked));
  }

  forget(name: string): void {
    this.#policies.delete(name);
  }

  #kindsChanged(): void {
    this.#scheduled = false;
    for (const [name, before] of this.#policies) {
      const checked = this.#lookUp(before.policy);
      if (same(before.kinds, checked.kinds) && before.params === checked.params) continue;
      this.#policies.set(name, checked);
      const warnings = warningsOf(checked);
      if (!deepEqual(warnings, checked.policy.status?.typeChecking?.expressionWarnings ?? []))
        this.#write(checked.policy, warnings);
    }
  }

  #lookUp(policy: ValidatingAdmissionPolicy): Checked {
    const { paramKind } = policy.spec;
    const { group, version } = groupVersionOf(paramKind?.apiVersion ?? '');
    const params = paramKind && this.#options.kinds.byKind(group, version, paramKind.kind ?? '');
    return { policy, kinds: this.#kindsOf(policy), params };
  }

  #write(
    { apiVersion, kind, metadata: { name, generation } }: ValidatingAdmissionPolicy,
    expressionWarnings: readonly ExpressionWarning[],
  ): void {
    const typeChecking = expressionWarnings.length ? { expressionWarnings } : {};
    this.#options.transport
      .request({
        method: 'PATCH',
        path: `${PATH}/${name}/status`,
        contentType: 'application/apply-patch+yaml',
        query: { fieldManager: MANAGER, force: true },
        body: { apiVersion, kind, metadata: { name }, status: { observedGeneration: generation, typeChecking } },
      })
      .catch((error: unknown) => {
        if (isStatusError(error, 'NotFound')) return;
        this.#options.logger.warn(
          { err: error, policy: name },
          'the status of a validating admission policy was not written',
        );
      });
  }

  /** By group, version and kind; rules with wildcards are about too much to be looked at. */
  #kindsOf({ spec: { matchConstraints } }: ValidatingAdmissionPolicy): readonly KindDefinition[] {
    const found = new Set<KindDefinition>();
    const wild = (names: readonly string[]) => names.some((name) => name.includes('*'));
    for (const { apiGroups = [], apiVersions = [], resources = [] } of matchConstraints?.resourceRules ?? []) {
      if (wild(apiGroups) || wild(apiVersions)) continue;
      for (const group of apiGroups.toSorted())
        for (const version of apiVersions.toSorted())
          for (const resource of resources.toSorted()) {
            const definition = this.#options.kinds.byResource(group, version, resource);
            if (definition && found.size < MAX_KINDS) found.add(definition);
          }
    }
    const key = ({ group, version, kind }: KindDefinition) => `${group}\0${version}\0${kind}`;
    return [...found].sort((a, b) => (key(a) < key(b) ? -1 : 1));
  }
}

function same(a: readonly KindDefinition[], b: readonly KindDefinition[]): boolean {
  return a.length === b.length && a.every((definition, index) => definition === b[index]);
}

function warningsOf({ policy: { spec }, kinds, params }: Checked): ExpressionWarning[] {
  const compiler = new ExpressionCompiler(POLICY_VARIABLES);
  const scopes = kinds.map((definition) => ({
    name: `${definition.group}/${definition.version}, Kind=${definition.kind}`,
    scope: scopeOf(compiler, spec, definition, params),
  }));
  const check = (source: string, fieldRef: string): ExpressionWarning[] => {
    const problems = scopes.flatMap(({ name, scope }) => {
      try {
        analyse(compiler.compile(source), scope);
        return [];
      } catch (error) {
        return [`${name}: ${(error as Error).message}\n`];
      }
    });
    return problems.length ? [{ fieldRef, warning: problems.join('\n') }] : [];
  };
  return (spec.validations ?? []).flatMap(({ expression, messageExpression }, index) => [
    ...check(expression, `spec.validations[${index}].expression`),
    ...(messageExpression ? check(messageExpression, `spec.validations[${index}].messageExpression`) : []),
  ]);
}

/** The variables of expressions with their types, the policy's own among them. */
function scopeOf(
  compiler: ExpressionCompiler,
  { variables = [] }: ValidatingAdmissionPolicy['spec'],
  definition: KindDefinition,
  params: KindDefinition | undefined,
): ReadonlyMap<string, StaticType> {
  const type = typeOfKind(definition.schema);
  const declared = new Map<string, StaticType>();
  const scope = new Map<string, StaticType>([
    ...ADMISSION_TYPES,
    ['object', type],
    ['oldObject', type],
    ['params', params ? typeOfKind(params.schema) : dyn],
    ['variables', { kind: 'object', field: (name) => declared.get(name) }],
  ]);
  for (const { name, expression } of variables)
    try {
      declared.set(name, analyse(compiler.compile(expression), scope).type);
    } catch {
      declared.set(name, dyn);
    }
  return scope;
}
