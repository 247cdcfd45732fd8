/**
 * Kubernetes' JSONPath as CRDs use it: `.spec.a`, `['key']`, `[0]`, `[-1]`, `[1:3]`, `[*]`, `..name`, and filters
 * `[?(@.type=="Ready")]`.
 */
export interface JsonPath {
  find(value: unknown): unknown[];
}

type Step =
  | { readonly type: 'field'; readonly name: string }
  | { readonly type: 'index'; readonly at: number }
  | { readonly type: 'slice'; readonly from: number; readonly to: number | undefined; readonly by: number }
  | { readonly type: 'wildcard' }
  | { readonly type: 'recursive' }
  | { readonly type: 'filter'; readonly left: Operand; readonly operator: string; readonly right: Operand | undefined };

type Operand = { readonly path: readonly Step[] } | { readonly literal: unknown };

/** Results are bounded, for `..` over a large object in a path of many steps grows without end. */
const MAX_RESULTS = 10_000;

/** Throws an Error for a path that is not well formed. */
export function parseJsonPath(text: string): JsonPath {
  const inner = text.startsWith('{') && text.endsWith('}') ? text.slice(1, -1) : text;
  const steps = new PathParser(inner).steps();
  return { find: (value) => follow(steps, [value]) };
}

function follow(steps: readonly Step[], from: unknown[]): unknown[] {
  let values = from;
  for (const step of steps) {
    const next: unknown[] = [];
    for (const value of values) {
      take(step, value, next);
      if (next.length > MAX_RESULTS) return next.slice(0, MAX_RESULTS);
    }
    values = next;
  }
  return values;
}

function take(step: Step, value: unknown, into: unknown[]): void {
  if (typeof value !== 'object' || value === null) return;
  switch (step.type) {
    case 'field':
      if (!Array.isArray(value) && Object.hasOwn(value, step.name))
        into.push((value as Record<string, unknown>)[step.name]);
      return;
    case 'index':
      if (Array.isArray(value)) {
        const at = step.at < 0 ? value.length + step.at : step.at;
        if (at >= 0 && at < value.length) into.push(value[at]);
      }
      return;
    case 'slice':
      if (Array.isArray(value)) {
        const { from, to = value.length, by } = step;
        for (const [index, item] of value.slice(from, to).entries()) if (index % by === 0) into.push(item);
      }
      return;
    case 'wildcard':
      into.push(...Object.values(value));
      return;
    case 'recursive':
      descend(value, into);
      return;
    case 'filter':
      for (const item of Object.values(value)) if (holds(step, item)) into.push(item);
  }
}

function descend(value: unknown, into: unknown[]): void {
  if (typeof value !== 'object' || value === null || into.length > MAX_RESULTS) return;
  into.push(value);
  for (const child of Object.values(value)) descend(child, into);
}

function holds({ left, operator, right }: Extract<Step, { type: 'filter' }>, item: unknown): boolean {
  const value = (operand: Operand) => ('literal' in operand ? [operand.literal] : follow(operand.path, [item]));
  const a = value(left);
  if (!right) return a.length > 0;
  const [x] = a;
  const [y] = value(right);
  if (a.length === 0) return false;
  switch (operator) {
    case '==':
      return x === y;
    case '!=':
      return x !== y;
    case '<':
      return (x as number) < (y as number);
    case '<=':
      return (x as number) <= (y as number);
    case '>':
      return (x as number) > (y as number);
    default:
      return (x as number) >= (y as number);
  }
}

class PathParser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  steps(): Step[] {
    const steps = this.#path();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return steps;
  }

  #path(): Step[] {
    const steps: Step[] = [];
    if (this.#peek('$') || this.#peek('@')) this.#at++;
    for (;;) {
      if (this.#peek('..')) {
        this.#at += 2;
        steps.push({ type: 'recursive' });
        if (this.#peek('[')) continue;
        steps.push(this.#name());
      } else if (this.#peek('.')) {
        this.#at++;
        // A lone dot is the value itself.
        if (this.#at < this.#text.length && !this.#peek('[')) steps.push(this.#name());
      } else if (this.#peek('[')) {
        this.#at++;
        steps.push(this.#bracket());
      } else return steps;
    }
  }

  #name(): Step {
    if (this.#peek('*')) {
      this.#at++;
      return { type: 'wildcard' };
    }
    let name = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const letter = this.#text[this.#at]!;
      if (letter === '\\') name += this.#text[++this.#at] ?? '';
      else if (/[.[\]()=!<>,\s]/.test(letter)) break;
      else name += letter;
    }
    if (name === '') throw this.#unexpected();
    return { type: 'field', name };
  }

  #bracket(): Step {
    this.#spaces();
    if (this.#peek('?(')) return this.#filter();
    if (this.#peek('*')) {
      this.#at++;
      return this.#close({ type: 'wildcard' });
    }
    if (this.#peek("'") || this.#peek('"')) return this.#close({ type: 'field', name: this.#quoted() });
    const match = /^(-?\d+)?(?:(:)(-?\d+)?(?::(\d+))?)?(?=\s*\])/.exec(this.#text.slice(this.#at));
    if (!match || match[0] === '') throw this.#unexpected();
    this.#at += match[0].length;
    const [, from, colon, to, by] = match;
    if (!colon) return this.#close({ type: 'index', at: Number(from) });
    return this.#close({
      type: 'slice',
      from: Number(from ?? 0),
      to: to === undefined ? undefined : Number(to),
      by: Math.max(1, Number(by ?? 1)),
    });
  }

  #filter(): Step {
    this.#at += 2;
    const left = this.#operand();
    this.#spaces();
    const operator = /^(?:==|!=|<=|>=|<|>)/.exec(this.#text.slice(this.#at))?.[0] ?? '';
    this.#at += operator.length;
    const right = operator ? this.#operand() : undefined;
    this.#spaces();
    this.#expect(')');
    return this.#close({ type: 'filter', left, operator, right });
  }

  #operand(): Operand {
    this.#spaces();
    if (this.#peek('@') || this.#peek('$') || this.#peek('.')) return { path: this.#path() };
    if (this.#peek("'") || this.#peek('"')) return { literal: this.#quoted() };
    const match = /^(?:true|false|null|-?\d+(?:\.\d+)?)/.exec(this.#text.slice(this.#at));
    if (!match) throw this.#unexpected();
    this.#at += match[0].length;
    return { literal: JSON.parse(match[0]) };
  }

  #quoted(): string {
    const quote = this.#text[this.#at++];
    let value = '';
    for (; this.#at < this.#text.length; this.#at++) {
      const letter = this.#text[this.#at]!;
      if (letter === quote) {
        this.#at++;
        return value;
      }
      value += letter === '\\' ? (this.#text[++this.#at] ?? '') : letter;
    }
    throw new Error('unterminated quoted string');
  }

  #close(step: Step): Step {
    this.#spaces();
    this.#expect(']');
    return step;
  }

  #expect(letter: string): void {
    if (!this.#peek(letter)) throw this.#unexpected();
    this.#at++;
  }

  #spaces(): void {
    while (this.#text[this.#at] === ' ') this.#at++;
  }

  #peek(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #unexpected(): Error {
    return new Error(
      `unexpected ${JSON.stringify(this.#text.slice(this.#at, this.#at + 10))} in ${JSON.stringify(this.#text)}`,
    );
  }
}
