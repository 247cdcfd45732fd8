import { FieldPath, invalidValue } from './field.ts';
import { type LabelOperator, type LabelRequirement, labelRequirement } from './label-requirement.ts';
import { isQualifiedName } from './names.ts';
import { badRequest, isStatusError } from './status-error.ts';

/** The grammar of label selectors in queries; its words and its oddities (`(,)` holds an empty value) are Kubernetes'. */

type TokenType =
  | 'identifier'
  | 'end'
  | 'error'
  | ')'
  | ','
  | '!'
  | '=='
  | '='
  | '>'
  | '<'
  | '!='
  | '('
  | 'in'
  | 'notin';

interface Token {
  readonly type: TokenType;
  readonly text: string;
}

const symbols: ReadonlySet<string> = new Set([')', ',', '!', '==', '=', '>', '<', '!=', '(']);
const operators: ReadonlyMap<TokenType, LabelOperator> = new Map([
  ['in', 'in'],
  ['notin', 'notin'],
  ['=', '='],
  ['==', '=='],
  ['!=', '!='],
  ['>', 'gt'],
  ['<', 'lt'],
]);
const symbol = /[=!(),<>]/;
const space = /[ \t\r\n]/;

export function parseRequirements(text: string): LabelRequirement[] {
  return new Parser(scan(text)).parse();
}

function scan(text: string): Token[] {
  const tokens: Token[] = [];
  let position = 0;
  while (position < text.length) {
    const character = text[position] as string;
    if (space.test(character)) position++;
    else if (symbol.test(character)) {
      const two = text.slice(position, position + 2);
      const found = symbols.has(two) ? two : character;
      tokens.push({ type: found as TokenType, text: found });
      position += found.length;
    } else {
      const start = position;
      while (position < text.length && !symbol.test(text[position] as string) && !space.test(text[position] as string))
        position++;
      const word = text.slice(start, position);
      tokens.push({ type: word === 'in' || word === 'notin' ? word : 'identifier', text: word });
    }
  }
  tokens.push({ type: 'end', text: '' });
  return tokens;
}

class Parser {
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  parse(): LabelRequirement[] {
    const requirements: LabelRequirement[] = [];
    for (;;) {
      const { type, text } = this.#peek();
      if (type === 'end') return requirements;
      if (type !== 'identifier' && type !== '!')
        throw badRequest(`found '${text}', expected: !, identifier, or 'end of string'`);
      requirements.push(this.#requirement());
      const separator = this.#next();
      if (separator.type === 'end') return requirements;
      if (separator.type !== ',') throw badRequest(`found '${separator.text}', expected: ',' or 'end of string'`);
      const following = this.#peek();
      if (following.type !== 'identifier' && following.type !== '!')
        throw badRequest(`found '${following.text}', expected: identifier after ','`);
    }
  }

  /** As a value: there, `in` and `notin` are plain words. */
  #peek(): Token {
    const token = this.#tokens[Math.min(this.#position, this.#tokens.length - 1)] as Token;
    return token.type === 'in' || token.type === 'notin' ? { type: 'identifier', text: token.text } : token;
  }

  #next(): Token {
    const token = this.#peek();
    this.#position++;
    return token;
  }

  #requirement(): LabelRequirement {
    try {
      return this.#parseRequirement();
    } catch (error) {
      if (isStatusError(error)) throw badRequest(`unable to parse requirement: ${error.message}`);
      throw error;
    }
  }

  #parseRequirement(): LabelRequirement {
    let token = this.#next();
    const absent = token.type === '!';
    if (absent) token = this.#next();
    if (token.type !== 'identifier') throw badRequest(`found '${token.text}', expected: identifier`);
    const key = token.text;
    const errors = isQualifiedName(key);
    if (errors.length > 0) throw badRequest(invalidValue(FieldPath.root, key, errors.join('; ')).toString());
    if (absent) return labelRequirement(key, '!', []);
    const following = this.#peek();
    if (following.type === 'end' || following.type === ',') return labelRequirement(key, 'exists', []);

    const operatorToken = this.#tokens[this.#position++] as Token;
    const operator = operators.get(operatorToken.type);
    if (!operator) throw badRequest(`found '${operatorToken.text}', expected: in, notin, =, ==, !=, gt, lt`);
    const values = operator === 'in' || operator === 'notin' ? this.#values() : [this.#exactValue()];
    return labelRequirement(key, operator, values);
  }

  #exactValue(): string {
    const { type } = this.#peek();
    if (type === 'end' || type === ',') return '';
    const token = this.#next();
    if (token.type !== 'identifier') throw badRequest(`found '${token.text}', expected: identifier`);
    return token.text;
  }

  #values(): string[] {
    const open = this.#next();
    if (open.type !== '(') throw badRequest(`found '${open.text}' expected: '('`);
    const values = new Set<string>();
    let last: ',' | 'value' | undefined;
    for (;;) {
      const token = this.#next();
      if (token.type === ')') {
        if (last === ',') values.add('');
        return [...values].sort();
      }
      if (token.type === 'identifier' && last !== 'value') {
        values.add(token.text);
        last = 'value';
      } else if (token.type === ',') {
        if (last !== 'value') values.add('');
        last = ',';
      } else if (last === 'value') throw badRequest(`found '${token.text}', expected: ',' or ')'`);
      else if (last === ',') throw badRequest(`found '${token.text}', expected: ',', or identifier`);
      else throw badRequest(`found '${token.text}', expected: ',', ')' or identifier`);
    }
  }
}
