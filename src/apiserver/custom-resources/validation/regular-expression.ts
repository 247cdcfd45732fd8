import v8 from 'node:v8';

/**
 * A regular expression of Go's syntax (RE2) in JavaScript's. Throws SyntaxError. Like RE2's it takes time linear in
 * the text: V8 goes over to such an engine when an expression backtracks too much (which needs the flags `u` and `v` off).
 */
export function compileRegularExpression(pattern: string): RegExp {
  v8.setFlagsFromString('--enable-experimental-regexp-engine-on-excessive-backtracks');
  const { source, flags } = translate(pattern);
  return new RegExp(source, flags);
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

function translate(pattern: string): { source: string; flags: string } {
  let flags = '';
  const leading = /^\(\?([ims]+)\)/.exec(pattern);
  if (leading) flags = [...new Set(leading[1])].join('');
  const body = leading ? pattern.slice(leading[0].length) : pattern;
  if (/\(\?[=!<](?!\w)|\(\?<[=!]/.test(body)) throw new SyntaxError('invalid or unsupported Perl syntax');
  const source = body
    .replace(/\[:(\w+):\]/g, (whole, name: string) => posixClasses[name] ?? whole)
    .replace(/\(\?P</g, '(?<')
    .replace(/\\A/g, '^')
    .replace(/\\z/g, '$')
    .replace(/\\p\{Greek\}/g, '\\u0370-\\u03FF')
    .replace(/\\Q(.*?)(?:\\E|$)/gs, (_, literal: string) => literal.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'))
    .replace(/\\x\{([0-9A-Fa-f]+)\}/g, (_, hex: string) => `\\u${hex.padStart(4, '0')}`);
  return { source, flags };
}
