/**
 * Syntax that the library lacks, put in terms of what it has: optional entries (`[?a]`, `{?'k': a}`) as calls of
 * `optionalList` and `optionalMap`, and objects of named types (`Object.spec{replicas: 3}`) as maps for `objectOf`.
 */
export function prepareSource(source: string): string {
  if (!/[[{,]\s*\?|[A-Za-z0-9_]\s*\{/.test(source)) return source;
  const tokens = [...source.matchAll(TOKEN)].map(([text]) => text);
  return new Rewriter(tokens).rest(undefined);
}

/** Strings (raw, bytes, triple-quoted), comments, names, spaces, anything else by character. */
const TOKEN =
  /[rRbB]{0,2}(?:"""(?:\\[\s\S]|(?!""")[\s\S])*"""|'''(?:\\[\s\S]|(?!''')[\s\S])*'''|"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')|\/\/[^\n]*|[A-Za-z_]\w*|\s+|[\s\S]/g;

interface Entry {
  readonly optional: boolean;
  readonly text: string;
}

class Rewriter {
  readonly #tokens: readonly string[];
  #at = 0;

  constructor(tokens: readonly string[]) {
    this.#tokens = tokens;
  }

  /** Everything up to the token `end` (or a comma, inside brackets), rewritten. */
  rest(end: string | undefined): string {
    const out: string[] = [];
    while (this.#at < this.#tokens.length) {
      const token = this.#tokens[this.#at]!;
      if (end !== undefined && (token === end || token === ',')) break;
      this.#at++;
      if (token === '(') out.push(this.#call());
      else if (token === '[') out.push(isValue(last(out)) ? `[${this.#within(']')}` : list(this.#entries(']')));
      else if (token === '{') {
        const named = isName(last(out));
        if (named) dropTypeName(out);
        out.push(map(this.#entries('}'), named));
      } else out.push(token);
    }
    return out.join('');
  }

  #call(): string {
    return `(${this.#within(')')}`;
  }

  #within(end: string): string {
    let text = this.rest(end);
    while (this.#tokens[this.#at] === ',') {
      this.#at++;
      text += `,${this.rest(end)}`;
    }
    this.#at++;
    return text + end;
  }

  #entries(end: string): Entry[] {
    const entries: Entry[] = [];
    for (;;) {
      this.#spaces();
      const optional = this.#tokens[this.#at] === '?';
      if (optional) this.#at++;
      const text = this.rest(end).trim();
      if (text !== '') entries.push({ optional, text });
      const closing = this.#tokens[this.#at++];
      if (closing !== ',') return entries;
    }
  }

  #spaces(): void {
    while (/^\s/.test(this.#tokens[this.#at] ?? '')) this.#at++;
  }
}

function last(out: readonly string[]): string {
  return out.findLast((text) => text.trim() !== '') ?? '';
}

const isName = (text: string) => /^[A-Za-z_]\w*$/.test(text) && text !== 'in';
const isValue = (text: string) => isName(text) || /[)\]}"']$/.test(text);

function dropTypeName(out: string[]): void {
  while (out.length && /^(\s+|\.|[A-Za-z_]\w*)$/.test(out.at(-1)!) && out.at(-1) !== 'in') {
    // A space ends the name unless a dot is on one of its sides.
    const token = out.pop()!;
    if (isName(token) && out.at(-1) !== '.') return;
  }
}

const flags = (entries: readonly Entry[]) => `[${entries.map(({ optional }) => optional).join(', ')}]`;
const texts = (values: readonly string[]) => `[${values.join(', ')}]`;

function list(entries: readonly Entry[]): string {
  const items = texts(entries.map(({ text }) => text));
  return entries.some(({ optional }) => optional) ? `optionalList(${items}, ${flags(entries)})` : items;
}

function map(entries: readonly Entry[], named: boolean): string {
  const pairs = entries.map(({ text }) => {
    const colon = colonOf(text);
    const key = text.slice(0, colon).trim();
    return [named ? JSON.stringify(key) : key, text.slice(colon + 1).trim()] as const;
  });
  if (!entries.some(({ optional }) => optional)) {
    const text = `{${pairs.map(([key, value]) => `${key}: ${value}`).join(', ')}}`;
    return named ? `objectOf(${text})` : text;
  }
  return `optionalMap(${texts(pairs.map(([key]) => key))}, ${texts(pairs.map(([, value]) => value))}, ${flags(entries)})`;
}

/** The colon between key and value: the first that is not inside brackets, strings or a conditional. */
function colonOf(text: string): number {
  let depth = 0;
  let offset = 0;
  for (const [token] of text.matchAll(TOKEN)) {
    if (token === '(' || token === '[' || token === '{' || token === '?') depth++;
    else if (token === ')' || token === ']' || token === '}') depth--;
    else if (token === ':') {
      if (depth === 0) return offset;
      depth--;
    }
    offset += token.length;
  }
  return text.length;
}
