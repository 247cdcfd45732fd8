import v8 from 'node:v8';
import vm from 'node:vm';

/** A regular expression of Go's syntax (RE2). */
export interface RegularExpression {
  /** Throws ExpressionTooSlow. */
  test(text: string): boolean;
  /** The first match. Throws ExpressionTooSlow. */
  find(text: string): string | undefined;
  /** All matches, `limit` at most. Throws ExpressionTooSlow. */
  findAll(text: string, limit: number): string[];
}

/** An expression backtracks without end on some text. */
export class ExpressionTooSlow extends Error {
  constructor() {
    super('the regular expression takes too long');
  }
}

const GUARD_MS = 25;
/** How long an expression that took too long is not tried again: it could hold up the process over and over. */
const REST_MS = 10_000;
/** Texts up to here cannot take long where no repetition is inside of another. */
const SHORT_TEXT = 1000;

/**
 * Compiles an expression. Throws SyntaxError. RE2 takes time linear in the text, and so does V8, which goes over to such
 * an engine when an expression backtracks too much; where that engine lacks something (counted repetition), time is limited.
 */
export function compileRegularExpression(pattern: string): RegularExpression {
  v8.setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  const { source, flags, nests } = translate(pattern);
  const expression = new RegExp(source, flags);
  const all = new RegExp(source, `${flags}g`);
  const linear = isLinear(source, flags);
  let restsUntil = 0;
  const guarded = <T>(text: string, run: () => T): T => {
    if (linear || (!nests && text.length <= SHORT_TEXT)) return run();
    if (performance.now() < restsUntil) throw new ExpressionTooSlow();
    try {
      return withinTime(run);
    } catch (error) {
      if ((error as { code?: string }).code !== 'ERR_SCRIPT_EXECUTION_TIMEOUT') throw error;
      restsUntil = performance.now() + REST_MS;
      throw new ExpressionTooSlow();
    }
  };
  return {
    test: (text) => guarded(text, () => expression.test(text)),
    find: (text) => guarded(text, () => expression.exec(text)?.[0]),
    findAll: (text, limit) =>
      guarded(text, () => {
        const found: string[] = [];
        for (const [match] of text.matchAll(all)) {
          if (found.length >= limit) break;
          found.push(match);
        }
        return found;
      }),
  };
}

function withinTime<T>(run: () => T): T {
  return vm.runInNewContext('run()', { run }, { timeout: GUARD_MS }) as T;
}

/** Whether V8 can go over to its linear engine. */
function isLinear(source: string, flags: string): boolean {
  v8.setFlagsFromString('--enable-experimental-regexp-engine');
  try {
    new RegExp(source, `${flags}l`);
    return true;
  } catch {
    return false;
  } finally {
    v8.setFlagsFromString('--no-enable-experimental-regexp-engine');
  }
}

const posixClasses: Readonly<Record<string, string>> = {
  alnum: '0-9A-Za-z',
  alpha: 'A-Za-z',
  ascii: '\\x00-\\x7F',
  blank: '\\t ',
  cntrl: '\\x00-\\x1F\\x7F',
  digit: '0-9',
  graph: '!-~',
  lower: 'a-z',
  print: ' -~',
  punct: '!-\\/:-@\\[-`{-~',
  space: '\\t\\n\\v\\f\\r ',
  upper: 'A-Z',
  word: '0-9A-Za-z_',
  xdigit: '0-9A-Fa-f',
};

const MAX_REPEAT = 1000;

/** Escapes, quoted text, classes, groups' heads, repetitions, anything else by character. */
const TOKEN =
  /\\Q[\s\S]*?(?:\\E|$)|\\x\{[0-9A-Fa-f]+\}|\\[pP]\{\^?\w+\}|\\[pP]\w|\\[\s\S]|\[\^?\]?(?:\[:\^?\w+:\]|\\[\s\S]|[^\]\\])*\]|\(\?P?<\w+>|\(\?[imsU]*(?:-[imsU]+)?[:)]|\(\?[\s\S]{0,2}|\{\d+(?:,\d*)?\}|[\s\S]/g;

interface Group {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
  repeats: boolean;
}

/** In JavaScript's syntax. `nests`: a repetition is inside of another. */
function translate(pattern: string): { source: string; flags: string; nests: boolean } {
  let group: Group = { ignoreCase: false, dotAll: false, repeats: false };
  const outer: Group[] = [];
  const flags = new Set<string>();
  let nests = false;
  /** Whether what is before a repetition is a group that repeats something itself. */
  let closed: Group | undefined;
  const out: string[] = [];
  for (const { 0: token, index } of pattern.matchAll(TOKEN)) {
    const before = closed;
    closed = undefined;
    if (token === '(' || token.startsWith('(?')) {
      const head = /^\(\?([imsU]*)(?:-([imsU]+))?([:)])$/.exec(token);
      if (!head && token !== '(' && !/^\(\?P?<\w+>$/.test(token))
        throw new SyntaxError(`invalid or unsupported Perl syntax: \`${token}\``);
      const [, on = '', off = '', end] = head ?? [];
      if (on.includes('m')) flags.add('m');
      const changed: Group = {
        ignoreCase: (group.ignoreCase || on.includes('i')) && !off.includes('i'),
        dotAll: (group.dotAll || on.includes('s')) && !off.includes('s'),
        repeats: group.repeats,
      };
      if (end === ')') {
        group = changed;
        continue;
      }
      outer.push(group);
      group = { ...changed, repeats: false };
      out.push(head ? '(?:' : token.replace('(?P<', '(?<'));
    } else if (token === ')') {
      closed = group;
      const parent = outer.pop();
      if (!parent) throw new SyntaxError('unexpected ): `)`');
      if (group.repeats) parent.repeats = true;
      group = parent;
      out.push(token);
    } else if (token === '|') {
      group.repeats = true;
      out.push(token);
    } else if (/^[*+]$|^\{\d/.test(token)) {
      const most = token.match(/\d+/g)?.map(Number) ?? [];
      if (most.some((count) => count > MAX_REPEAT)) throw new SyntaxError(`invalid repeat count: \`${token}\``);
      if (before?.repeats) nests = true;
      group.repeats = true;
      out.push(token);
    } else if (token === '?') out.push(token);
    else if (token === '.') out.push(group.dotAll ? '[^]' : '[^\\n]');
    else if (token.startsWith('\\Q'))
      out.push(...[...token.slice(2).replace(/\\E$/, '')].map((letter) => literal(letter, group.ignoreCase)));
    else if (token === '[') throw new SyntaxError(`missing closing ]: \`${pattern.slice(index)}\``);
    else if (token === '\\') throw new SyntaxError('trailing backslash at end of expression: ``');
    else if (token.startsWith('[')) out.push(characterClass(token, group.ignoreCase, flags));
    else if (token.startsWith('\\')) out.push(escaped(token, flags));
    else out.push(/[A-Za-z]/.test(token) ? literal(token, group.ignoreCase) : token);
  }
  if (outer.length) throw new SyntaxError(`missing closing ): \`${pattern}\``);
  return { source: out.join(''), flags: [...flags].join(''), nests };
}

function literal(letter: string, ignoreCase: boolean): string {
  if (ignoreCase && /[A-Za-z]/.test(letter)) return `[${letter.toLowerCase()}${letter.toUpperCase()}]`;
  return letter.replace(/[\\^$.*+?()[\]{}|/]/, '\\$&');
}

function escaped(token: string, flags: Set<string>): string {
  switch (token[1]) {
    case 'A':
      return '^';
    case 'z':
      return '$';
    case 'a':
      return '\\x07';
    case 's':
      return '[\\t\\n\\f\\r ]';
    case 'S':
      return '[^\\t\\n\\f\\r ]';
    default:
      return escapeInClass(token, flags);
  }
}

/** What means the same inside and outside of brackets. */
function escapeInClass(token: string, flags: Set<string>): string {
  const kind = token[1] ?? '';
  if (kind === 's') return '\\t\\n\\f\\r ';
  if (kind === 'a') return '\\x07';
  if (kind === 'x' && token[2] === '{') {
    const code = token.slice(3, -1).padStart(4, '0');
    if (code.length === 4) return `\\u${code}`;
    flags.add('u');
    return `\\u{${code}}`;
  }
  if (kind === 'p' || kind === 'P') {
    flags.add('u');
    const name = token.slice(2).replace(/[{}^]/g, '');
    const negated = (kind === 'P') !== token.includes('^');
    return `\\${negated ? 'P' : 'p'}{${name.length > 2 ? `Script=${name}` : name}}`;
  }
  if (/[A-Za-z0-9]/.test(kind) && !/[bBdDwWSfnrtvx0]/.test(kind))
    throw new SyntaxError(`invalid escape sequence: \`${token}\``);
  return token;
}

function characterClass(token: string, ignoreCase: boolean, flags: Set<string>): string {
  const negated = token[1] === '^';
  const body = token
    .slice(negated ? 2 : 1, -1)
    .replace(/^\]/, '\\]')
    .replace(/\[:(\^?)(\w+):\]/g, (whole, not: string, name: string) => {
      const found = posixClasses[name];
      if (!found || not) throw new SyntaxError(`invalid character class range: \`${whole}\``);
      return found;
    })
    .replace(/\\x\{[0-9A-Fa-f]+\}|\\[pP]\{\^?\w+\}|\\[pP]\w|\\[\s\S]/g, (part) => escapeInClass(part, flags));
  const others = ignoreCase
    ? body.replace(/\\[\s\S]/g, '').replace(/[^A-Za-z-]|(?<![A-Za-z])-|-(?![A-Za-z])/g, '')
    : '';
  const swapped = [...others]
    .map((letter) => (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()))
    .join('');
  return `[${negated ? '^' : ''}${body}${swapped}]`;
}
