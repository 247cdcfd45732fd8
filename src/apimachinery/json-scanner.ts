/** What JSON.parse does not tell: where Go's decoder would stop and in which words, and keys that occur twice. */
import type { Schema } from './schema.ts';

/** The message of Go's encoding/json for a text that is not JSON. */
export function jsonSyntaxError(text: string): string {
  const scanner = new SyntaxScanner(text);
  return scanner.run() ?? 'unexpected end of JSON input';
}

type Context =
  | 'objectStart'
  | 'objectKey'
  | 'objectColon'
  | 'objectValue'
  | 'objectEnd'
  | 'arrayStart'
  | 'arrayValue'
  | 'arrayEnd';

class SyntaxScanner {
  readonly #text: string;
  #position = 0;

  constructor(text: string) {
    this.#text = text;
  }

  /** `undefined`: the text ends too early (or nothing is wrong with it). */
  run(): string | undefined {
    const stack: Context[] = [];
    let done = false;
    for (;;) {
      this.#skipSpace();
      const character = this.#text[this.#position];
      if (character === undefined) return undefined;
      if (done) return this.#invalid(character, 'after top-level value');
      const context = stack[stack.length - 1];
      if (context === 'objectStart' || context === 'objectKey') {
        if (character === '}' && context === 'objectStart') {
          this.#position++;
          done = this.#close(stack);
          continue;
        }
        if (character !== '"') return this.#invalid(character, 'looking for beginning of object key string');
        const wrong = this.#string();
        if (wrong !== null) return wrong;
        stack[stack.length - 1] = 'objectColon';
        continue;
      }
      if (context === 'objectColon') {
        if (character !== ':') return this.#invalid(character, 'after object key');
        this.#position++;
        stack[stack.length - 1] = 'objectValue';
        continue;
      }
      if (context === 'objectEnd' || context === 'arrayEnd') {
        this.#position++;
        const end = context === 'objectEnd' ? '}' : ']';
        if (character === ',') stack[stack.length - 1] = context === 'objectEnd' ? 'objectKey' : 'arrayValue';
        else if (character === end) done = this.#close(stack);
        else {
          this.#position--;
          return this.#invalid(
            character,
            context === 'objectEnd' ? 'after object key:value pair' : 'after array element',
          );
        }
        continue;
      }
      if (character === ']' && context === 'arrayStart') {
        this.#position++;
        done = this.#close(stack);
        continue;
      }
      if (context === 'objectValue') stack[stack.length - 1] = 'objectEnd';
      else if (context !== undefined) stack[stack.length - 1] = 'arrayEnd';
      if (character === '{' || character === '[') {
        this.#position++;
        stack.push(character === '{' ? 'objectStart' : 'arrayStart');
        continue;
      }
      const wrong = this.#scalar(character);
      if (wrong !== null) return wrong;
      done = stack.length === 0;
    }
  }

  #close(stack: Context[]): boolean {
    stack.pop();
    return stack.length === 0;
  }

  #skipSpace(): void {
    while (/[ \t\r\n]/.test(this.#text[this.#position] ?? '')) this.#position++;
  }

  /** `null`: fine. `undefined`: the text ends inside. */
  #scalar(character: string): string | null | undefined {
    if (character === '"') return this.#string();
    if (character === '-' || (character >= '0' && character <= '9')) return this.#number();
    for (const literal of ['true', 'false', 'null']) {
      if (character !== literal[0]) continue;
      for (let i = 1; i < literal.length; i++) {
        const next = this.#text[this.#position + i];
        if (next === undefined) return undefined;
        if (next !== literal[i])
          return this.#invalid(next, `in literal ${literal} (expecting ${quote(literal[i] as string)})`);
      }
      this.#position += literal.length;
      return null;
    }
    return this.#invalid(character, 'looking for beginning of value');
  }

  #string(): string | null | undefined {
    for (this.#position++; this.#position < this.#text.length; this.#position++) {
      const character = this.#text[this.#position] as string;
      if (character === '"') {
        this.#position++;
        return null;
      }
      if (character === '\\') {
        const escaped = this.#text[++this.#position];
        if (escaped === undefined) return undefined;
        if (escaped === 'u') {
          for (let i = 0; i < 4; i++) {
            const digit = this.#text[++this.#position];
            if (digit === undefined) return undefined;
            if (!/[0-9a-fA-F]/.test(digit)) return this.#invalid(digit, 'in \\u hexadecimal character escape');
          }
        } else if (!'bfnrt\\/"'.includes(escaped)) return this.#invalid(escaped, 'in string escape code');
      } else if (character < ' ') return this.#invalid(character, 'in string literal');
    }
    return undefined;
  }

  #number(): string | null | undefined {
    const digits = () => {
      const start = this.#position;
      while (/[0-9]/.test(this.#text[this.#position] ?? '')) this.#position++;
      return this.#position > start;
    };
    const here = () => this.#text[this.#position];
    const missing = (where: string) => (here() === undefined ? undefined : this.#invalid(here() as string, where));
    if (here() === '-') this.#position++;
    if (here() === '0') this.#position++;
    else if (!digits()) return missing('in numeric literal');
    if (here() === '.') {
      this.#position++;
      if (!digits()) return missing('after decimal point in numeric literal');
    }
    if (here() === 'e' || here() === 'E') {
      this.#position++;
      if (here() === '+' || here() === '-') this.#position++;
      if (!digits()) return missing('in exponent of numeric literal');
    }
    return null;
  }

  #invalid(character: string, where: string): string {
    return `invalid character ${quote(character)} ${where}`;
  }
}

function quote(character: string): string {
  if (character === "'") return "'\\''";
  if (character === '"') return `'"'`;
  const escaped = JSON.stringify(character).slice(1, -1);
  return `'${character === '\\' ? '\\\\' : escaped.startsWith('\\u00') ? `\\x${escaped.slice(4)}` : escaped}'`;
}

/** Go's decoder tells of no more. */
const MAX_PROBLEMS = 100;
const MAX_PROBLEM_CHARACTERS = 1_000_000;

/**
 * `duplicate field "spec.replicas"` for each key that its object has already had. With a schema also
 * `unknown field "spec.foo"`, each where it stands in the text; what is unknown is not looked into. `text` is valid JSON, not
 * too deep.
 */
export function findDuplicateKeys(text: string, schema?: Schema): string[] {
  const found = new Set<string>();
  const path: (string | number)[] = [];
  let position = 0;
  let characters = 0;
  const report = (problem: string) => {
    if (found.size >= MAX_PROBLEMS || characters > MAX_PROBLEM_CHARACTERS) return;
    const message = `${problem} field ${JSON.stringify(pathText(path))}`;
    characters += message.length;
    found.add(message);
  };
  const skipSpace = () => {
    while (text.charCodeAt(position) <= 32) position++;
  };
  const string = () => {
    const start = position;
    for (position++; text[position] !== '"'; position++) if (text[position] === '\\') position++;
    position++;
    return text.slice(start, position);
  };
  const value = (of: Schema | undefined, known: boolean): void => {
    skipSpace();
    const character = text[position];
    if (character === '"') string();
    else if (character === '{') {
      const keys = new Set<string>();
      const fields = of?.fields?.();
      position++;
      for (;;) {
        skipSpace();
        if (text[position] === '}') break;
        const key = JSON.parse(string()) as string;
        path.push(key);
        const child = fields?.get(key)?.schema ?? of?.items?.();
        const unknown = fields !== undefined && !child && !of?.preserveUnknownFields;
        if (known && unknown) report('unknown');
        else if (known && keys.has(key)) report('duplicate');
        keys.add(key);
        skipSpace();
        position++;
        value(child, known && !unknown);
        path.pop();
        skipSpace();
        if (text[position] === ',') position++;
      }
      position++;
    } else if (character === '[') {
      position++;
      const items = of?.items?.();
      for (let index = 0; ; index++) {
        skipSpace();
        if (text[position] === ']') break;
        path.push(index);
        value(items, known);
        path.pop();
        skipSpace();
        if (text[position] === ',') position++;
      }
      position++;
    } else while (position < text.length && !/[,}\]\s]/.test(text[position] as string)) position++;
  };
  value(schema, true);
  return [...found];
}

function pathText(path: readonly (string | number)[]): string {
  let text = '';
  for (const part of path) text += typeof part === 'number' ? `[${part}]` : text === '' ? part : `.${part}`;
  return text;
}
