import { Transform, type TransformCallback } from 'node:stream';

const LINKS =
  /(<[a-z][^<>]*?\s)(action|archive|background|cite|classid|codebase|data|formaction|href|icon|longdesc|manifest|poster|profile|src|usemap)(\s*=\s*)(["']?)(\/(?!\/)[^"'\s>]*)/gi;
const MAX_TAG_BYTES = 64 * 1024;

/** Puts a prefix before the absolute paths in the links of an HTML page, as it passes. */
export class HtmlLinks extends Transform {
  readonly #prefix: string;
  #rest = '';

  constructor(prefix: string) {
    super();
    this.#prefix = prefix;
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, callback: TransformCallback): void {
    // Bytes as characters: links are ASCII, and all else passes as it is.
    const text = this.#rest + chunk.toString('latin1');
    const open = text.lastIndexOf('<');
    const cut = open >= 0 && !text.includes('>', open) && text.length - open < MAX_TAG_BYTES ? open : text.length;
    this.#rest = text.slice(cut);
    callback(null, this.#rewrite(text.slice(0, cut)));
  }

  override _flush(callback: TransformCallback): void {
    callback(null, this.#rewrite(this.#rest));
  }

  #rewrite(text: string): Buffer {
    const rewritten = text.replace(
      LINKS,
      (whole, head: string, name: string, equals: string, quote: string, path: string) =>
        path.startsWith(`${this.#prefix}/`) ? whole : `${head}${name}${equals}${quote}${this.#prefix}${path}`,
    );
    return Buffer.from(rewritten, 'latin1');
  }
}
