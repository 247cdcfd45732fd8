import type { KindDefinition } from '../../../api/kind.ts';
import type { ExpressionWarning, ValidatingAdmissionPolicy } from '../../../api/types/admissionregistration.v1.gen.ts';
import { isStatusError } from '../../../apimachinery/status-error.ts';
import { ExpressionCompiler } from '../../cel/expression.ts';
import { typeOfKind } from '../../cel/kind-types.ts';
import { dyn } from '../../cel/schema-types.ts';
import { analyse } from '../../cel/static-check.ts';
import type { DynamicAdmissionOptions } from '../configured-step.ts';
import { POLICY_VARIABLES } from './compiled-policy.ts';

/** Upstream looks at so many kinds and no more. */
const MAX_KINDS = 10;

/** Says in a policy's status which of its expressions do not fit the kinds they are for. */
export class PolicyTypeChecker {
  readonly #options: DynamicAdmissionOptions;

  constructor(options: DynamicAdmissionOptions) {
    this.#options = options;
  }

  check(policy: ValidatingAdmissionPolicy): void {
    const { generation } = policy.metadata;
    if (policy.status?.observedGeneration === generation || policy.metadata.deletionTimestamp) return;
    const expressionWarnings = this.#warnings(policy);
    const status = {
      ...policy.status,
      observedGeneration: generation,
      typeChecking: expressionWarnings.length ? { expressionWarnings } : {},
    };
    const path = `/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies/${policy.metadata.name}/status`;
    this.#options.transport.request({ method: 'PUT', path, body: { ...policy, status } }).catch((error: unknown) => {
      if (isStatusError(error, 'Conflict') || isStatusError(error, 'NotFound')) return;
      this.#options.logger.warn(
        { err: error, policy: policy.metadata.name },
        'the status of a validating admission policy was not written',
      );
    });
  }

  #warnings({ spec }: ValidatingAdmissionPolicy): ExpressionWarning[] {
    const kinds = this.#kindsOf(spec);
    const compiler = new ExpressionCompiler(POLICY_VARIABLES);
    return (spec.validations ?? []).flatMap(({ expression, messageExpression }, index) => [
      ...this.#of(compiler, kinds, expression, `spec.validations[${index}].expression`),
      ...(messageExpression
        ? this.#of(compiler, kinds, messageExpression, `spec.validations[${index}].messageExpression`)
        : []),
    ]);
  }

  #of(
    compiler: ExpressionCompiler,
    kinds: readonly KindDefinition[],
    source: string,
    fieldRef: string,
  ): ExpressionWarning[] {
    const problems = kinds.flatMap(({ group, version, kind, schema }) => {
      try {
        const type = typeOfKind(schema);
        analyse(
          compiler.compile(source),
          new Map([
            ['object', type],
            ['oldObject', type],
            ['params', dyn],
          ]),
        );
        return [];
      } catch (error) {
        return [`${group ? `${group}/` : ''}${version}, Kind=${kind}: ${(error as Error).message}`];
      }
    });
    return problems.length ? [{ fieldRef, warning: problems.join('\n') }] : [];
  }

  #kindsOf({ matchConstraints }: ValidatingAdmissionPolicy['spec']): readonly KindDefinition[] {
    const found = new Set<KindDefinition>();
    for (const { apiGroups = [], apiVersions = [], resources = [] } of matchConstraints?.resourceRules ?? [])
      for (const group of apiGroups)
        for (const version of apiVersions)
          for (const resource of resources) {
            const definition = this.#options.kinds.byResource(group, version, resource);
            if (definition && found.size < MAX_KINDS) found.add(definition);
          }
    return [...found];
  }
}
