import type { KindDefinition, RuleFindings } from '../../api/kind.ts';
import type { FieldError } from '../../apimachinery/field.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { invalid } from '../../apimachinery/status-error.ts';

/** The rules of a kind, after all else was validated, which `found` errors. Throws what is wrong; a promise when rules take long. */
export function finishValidation(
  definition: KindDefinition,
  name: string,
  object: UnstructuredObject,
  old: UnstructuredObject | undefined,
  found: readonly FieldError[],
  warnings: string[],
): Promise<void> | undefined {
  const conclude = (findings: RuleFindings) => {
    warnings.push(...findings.warnings);
    const errors = [...found, ...findings.errors];
    if (errors.length) throw invalid(definition, name, errors);
  };
  const findings = definition.validateRules!(object, old, found);
  if (findings instanceof Promise) return findings.then(conclude);
  conclude(findings);
  return undefined;
}
