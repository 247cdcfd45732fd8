import {
  compileRegularExpression,
  ExpressionTooSlow,
  type RegularExpression,
} from '../../../api/apiextensions/regular-expression.ts';

const MAX_EXPRESSIONS = 200;

/** Regular expressions of Go's syntax by their text, so that each is compiled once. */
export class Patterns {
  readonly #expressions = new Map<string, RegularExpression>();

  matches(text: string, pattern: string): boolean {
    return this.find(pattern, (found) => found.test(text));
  }

  /** A text that takes too long costs what an expression may. */
  find<T>(pattern: string, look: (expression: RegularExpression) => T): T {
    const expression = this.#compiled(pattern);
    try {
      return look(expression);
    } catch (error) {
      throw error instanceof ExpressionTooSlow ? new Error('operation cancelled: actual cost limit exceeded') : error;
    }
  }

  #compiled(pattern: string): RegularExpression {
    let known = this.#expressions.get(pattern);
    if (!known) {
      try {
        known = compileRegularExpression(pattern);
      } catch (error) {
        throw new Error(`error parsing regexp: ${(error as Error).message}`);
      }
      if (this.#expressions.size >= MAX_EXPRESSIONS) this.#expressions.clear();
      this.#expressions.set(pattern, known);
    }
    return known;
  }
}
