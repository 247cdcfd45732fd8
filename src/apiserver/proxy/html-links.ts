import { Transform, type TransformCallback } from 'node:stream';

/** Which attributes of which elements are URLs. */
const URLS: Readonly<Record<string, readonly string[]>> = {
  a: ['href'],
  applet: ['codebase'],
  area: ['href'],
  audio: ['src'],
  base: ['href'],
  blockquote: ['cite'],
  body: ['background'],
  button: ['formaction'],
  command: ['icon'],
  del: ['cite'],
  embed: ['src'],
  form: ['action'],
  frame: ['longdesc', 'src'],
  head: ['profile'],
  html: ['manifest'],
  iframe: ['longdesc', 'src'],
  img: ['longdesc', 'src', 'usemap'],
  input: ['src', 'usemap', 'formaction'],
  ins: ['cite'],
  link: ['href'],
  object: ['classid', 'codebase', 'data', 'usemap'],
  q: ['cite'],
  script: ['src'],
  source: ['src'],
  video: ['poster', 'src'],
};
/** What is in them are no elements. */
const RAW = new Set(['iframe', 'noembed', 'noframes', 'script', 'style', 'textarea', 'title', 'xmp']);
const TAG = /<([A-Za-z][^\s/>]*)((?:[^"'>]|"[^"]*"|'[^']*')*)>/y;
const ATTRIBUTE = /([^\s"'<>/=]+)(\s*=\s*)("[^"]*"|'[^']*'|[^\s"'<>]+)/g;
/** What is longer is no tag, or passes as it is. */
const MAX_TAG_BYTES = 64 * 1024;

/** Rewrites the URLs of an HTML page's elements, as it passes. */
export class HtmlLinks extends Transform {
  readonly #rewrite: (url: string) => string;
  #rest = '';
  /** The element whose text is passing. */
  #raw: string | undefined;

  constructor(rewrite: (url: string) => string) {
    super();
    this.#rewrite = rewrite;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    // Bytes as characters: links are ASCII, and all else passes as it is.
    callback(null, Buffer.from(this.#pass(this.#rest + chunk.toString('latin1'), false), 'latin1'));
  }

  override _flush(callback: TransformCallback): void {
    callback(null, Buffer.from(this.#pass(this.#rest, true), 'latin1'));
  }

  /** What of `text` can go; the beginning of what may yet be a tag waits. */
  #pass(text: string, last: boolean): string {
    let passed = '';
    let from = 0;
    for (;;) {
      const open = text.indexOf(this.#raw === undefined ? '<' : '</', from);
      if (open < 0) {
        // `</` may be cut in two.
        const end = !last && text.endsWith('<') ? text.length - 1 : text.length;
        this.#rest = text.slice(end);
        return passed + text.slice(from, Math.max(from, end));
      }
      passed += text.slice(from, open);
      const token = this.#token(text, open);
      if (token === undefined && !last && text.length - open < MAX_TAG_BYTES) {
        this.#rest = text.slice(open);
        return passed;
      }
      const { end, shown } = token ?? { end: open + 1, shown: '<' };
      passed += shown;
      from = end;
    }
  }

  /** What begins at `at`, or undefined when it does not end. */
  #token(text: string, at: number): { readonly end: number; readonly shown: string } | undefined {
    const asIs = (end: number) => ({ end, shown: text.slice(at, end) });
    if (this.#raw !== undefined) {
      const close = text.slice(at + 2, at + 3 + this.#raw.length).toLowerCase();
      if (close.length <= this.#raw.length) return undefined;
      if (close.startsWith(this.#raw) && /[\s/>]/.test(close.at(-1)!)) this.#raw = undefined;
      return asIs(at + 2);
    }
    if (text.startsWith('<!--', at)) {
      const end = text.indexOf('-->', at + 4);
      return end < 0 ? undefined : asIs(end + 3);
    }
    if (text.length < at + 4 && '<!--'.startsWith(text.slice(at))) return undefined;
    if (!/[A-Za-z]/.test(text[at + 1] ?? '')) return asIs(at + 1);
    TAG.lastIndex = at;
    const match = TAG.exec(text);
    if (!match) return undefined;
    const [whole, given = '', attributes = ''] = match;
    const name = given.toLowerCase();
    if (RAW.has(name)) this.#raw = name;
    const urls = Object.hasOwn(URLS, name) ? URLS[name] : undefined;
    return { end: at + whole.length, shown: urls ? `<${given}${this.#attributes(attributes, urls)}>` : whole };
  }

  #attributes(text: string, urls: readonly string[]): string {
    return text.replace(ATTRIBUTE, (whole, name: string, equals: string, value: string) => {
      if (!urls.includes(name.toLowerCase())) return whole;
      const quote = value.startsWith('"') || value.startsWith("'") ? value[0]! : '';
      return `${name}${equals}${quote}${this.#rewrite(quote ? value.slice(1, -1) : value)}${quote}`;
    });
  }
}
