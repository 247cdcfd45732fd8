import type { ValidationRule } from '../../api/types/apiextensions.v1.gen.ts';
import { type Expression, ExpressionCompiler } from './expression.ts';

/** Compiles what a rule says, over `self` and an `oldSelf` that may be optional. */
export class RuleCompiler {
  readonly #plain = new ExpressionCompiler(['self', 'oldSelf']);
  #optional: ExpressionCompiler | undefined;

  /** Throws CompileError. */
  compile({ optionalOldSelf }: ValidationRule, source: string): Expression {
    if (!optionalOldSelf) return this.#plain.compile(source);
    this.#optional ??= new ExpressionCompiler(['self'], ['oldSelf']);
    return this.#optional.compile(source);
  }
}
