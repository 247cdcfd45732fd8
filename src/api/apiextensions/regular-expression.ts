import { createRequire } from 'node:module';
import vm from 'node:vm';
import type * as Re2 from 're2js';

/** A regular expression of Go's syntax (RE2). */
export interface RegularExpression {
  /** Whether some part of the text matches. Throws ExpressionTooSlow. */
  test(text: string): boolean;
  /** The first match. Throws ExpressionTooSlow. */
  find(text: string): string | undefined;
  /** All matches, `limit` at most. Throws ExpressionTooSlow. */
  findAll(text: string, limit: number): string[];
}

/** The text is too long for the expression. */
export class ExpressionTooSlow extends Error {
  constructor() {
    super('the regular expression takes too long');
  }
}

/** Matching takes time linear in the text: texts up to here are matched in a few milliseconds. */
const SHORT_TEXT = 10_000;
const GUARD_MS = 500;
/** How long an expression that took too long is not tried again: it could hold up the process over and over. */
const REST_MS = 10_000;

/** Compiles an expression. Throws SyntaxError in the words of Go's package `regexp`. */
export function compileRegularExpression(pattern: string): RegularExpression {
  const { RE2JS } = library();
  let expression = compile(pattern);
  let restsUntil = 0;
  const guarded = <T>(text: string, run: (expression: Re2.RE2JS) => T): T => {
    if (text.length <= SHORT_TEXT) return run(expression);
    if (performance.now() < restsUntil) throw new ExpressionTooSlow();
    try {
      return vm.runInNewContext('run()', { run: () => run(expression) }, { timeout: GUARD_MS }) as T;
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      restsUntil = performance.now() + REST_MS;
      // What was interrupted may be left in any state.
      expression = RE2JS.compile(pattern);
      throw new ExpressionTooSlow();
    }
  };
  return {
    test: (text) => guarded(text, (found) => found.test(text)),
    find: (text) => guarded(text, (found) => matches(found, text, 1)[0]),
    findAll: (text, limit) => guarded(text, (found) => matches(found, text, limit)),
  };
}

function compile(pattern: string): Re2.RE2JS {
  try {
    return library().RE2JS.compile(pattern);
  } catch (error) {
    throw new SyntaxError((error as Error).message.replace(/^error parsing regexp: /, ''));
  }
}

function matches(expression: Re2.RE2JS, text: string, limit: number): string[] {
  const found: string[] = [];
  const matcher = expression.matcher(text);
  while (found.length < limit && matcher.find()) found.push(matcher.group() ?? '');
  return found;
}

/** Loaded when first needed: few clusters have expressions. */
function library(): typeof Re2 {
  return createRequire(import.meta.url)('re2js') as typeof Re2;
}
