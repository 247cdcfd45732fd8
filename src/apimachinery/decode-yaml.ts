import { createRequire } from 'node:module';
import type * as Yaml from 'yaml';
import { type Decoded, type DecodeOptions, MAX_DEPTH } from './decoded.ts';
import type { JSONValue } from './json.ts';
import { badRequest } from './status-error.ts';

/** Aliases may stand for at most this many values in all. */
const MAX_NODES = 1_000_000;
const MAX_ALIASES = 10_000;

/**
 * The first document, read as Kubernetes' YAML library reads it: YAML 1.1 booleans (`yes`, `on`, `n`), merge keys, but
 * timestamps and sexagesimal numbers are strings. Throws StatusError 400.
 */
export function decodeYaml(body: Uint8Array | string, options: DecodeOptions = {}): Decoded {
  const text =
    typeof body === 'string' ? body : Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString('utf8');
  // Loaded when first needed: most requests are JSON.
  const yaml = createRequire(import.meta.url)('yaml') as typeof Yaml;
  const lines = new yaml.LineCounter();
  const duplicateFields: string[] = [];
  let value: unknown;
  try {
    const composer = new yaml.Composer({
      version: '1.1',
      schema: 'yaml-1.1',
      merge: true,
      strict: false,
      logLevel: 'silent',
      customTags: (tags) => [
        ...tags.filter((tag) => typeof tag === 'string' || !foreignTags.has(tag.tag)),
        { tag: INT_TAG, default: true, test: /^[-+.\d]/, resolve: numberOf },
        { tag: FLOAT_TAG, default: true, test: /(?!)/, resolve: numberOf },
      ],
    });
    const [document] = composer.compose(tokens(yaml, text, lines));
    for (const error of document?.errors ?? []) {
      if (error.code !== 'DUPLICATE_KEY') throw error;
      const { line } = lines.linePos(error.pos[0]);
      duplicateFields.push(`line ${line}: key ${JSON.stringify(keyAt(text, error.pos[0]))} already set in map`);
    }
    value = document?.toJS({ maxAliasCount: MAX_ALIASES }) ?? null;
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: yaml: ${describe(error, lines)}`);
  }
  return {
    value: plain(value, 0, { nodes: 0 }),
    duplicateFields:
      options.duplicates && duplicateFields.length > 0
        ? [`yaml: unmarshal errors:\n${duplicateFields.map((line) => `  ${line}`).join('\n')}`]
        : [],
  };
}

/** The tokens of the text. Throws RangeError as soon as they nest too deeply: what composes values recurses. */
function* tokens(yaml: typeof Yaml, text: string, lines: Yaml.LineCounter): Generator<Yaml.CST.Token, void> {
  const parser = new yaml.Parser(lines.addNewLine);
  lines.addNewLine(0);
  for (const lexeme of new yaml.Lexer().lex(text)) {
    yield* parser.next(lexeme);
    if (parser.stack.length > MAX_DEPTH) throw new RangeError('nested too deeply');
  }
  yield* parser.end();
}

const INT_TAG = 'tag:yaml.org,2002:int';
const FLOAT_TAG = 'tag:yaml.org,2002:float';

const foreignTags: ReadonlySet<string> = new Set([
  INT_TAG,
  FLOAT_TAG,
  'tag:yaml.org,2002:timestamp',
  'tag:yaml.org,2002:omap',
  'tag:yaml.org,2002:pairs',
  'tag:yaml.org,2002:set',
  'tag:yaml.org,2002:binary',
]);

const MAX_INT64 = 2n ** 63n - 1n;
const MAX_UINT64 = 2n ** 64n - 1n;

/** What begins like a number: one, if Go's YAML library takes it for one. */
function numberOf(text: string): number | string {
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return Number.NaN;
  const plain = text.replaceAll('_', '');
  const [, sign, hexadecimal, binary, octal, decimal] =
    /^([-+]?)(?:0[xX]([\da-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9]\d*))$/.exec(plain) ?? [];
  if (sign !== undefined) {
    const size = BigInt(
      hexadecimal ? `0x${hexadecimal}` : binary ? `0b${binary}` : octal ? `0o${octal}` : (decimal ?? '0'),
    );
    const limit = sign === '' ? MAX_UINT64 : sign === '+' ? MAX_INT64 : MAX_INT64 + 1n;
    if (size <= limit) return Number(sign === '-' ? -size : size);
  }
  const value = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/.test(plain) ? Number(plain) : Number.NaN;
  return Number.isFinite(value) ? value : text;
}

/** A copy without shared parts, with string keys, and with JSON's types alone. */
function plain(value: unknown, depth: number, budget: { nodes: number }): JSONValue {
  if (++budget.nodes > MAX_NODES)
    throw badRequest('error converting YAML to JSON: yaml: document contains excessive aliasing');
  if (typeof value === 'number' && !Number.isFinite(value))
    throw badRequest(
      `error converting YAML to JSON: json: unsupported value: ${Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'}`,
    );
  if (typeof value !== 'object' || value === null) return (value ?? null) as JSONValue;
  if (depth >= MAX_DEPTH) throw badRequest('error converting YAML to JSON: yaml: exceeded max depth');
  if (Array.isArray(value)) return value.map((item) => plain(item, depth + 1, budget));
  const result: Record<string, JSONValue> = {};
  for (const [key, field] of Object.entries(value)) {
    const copy = plain(field, depth + 1, budget);
    if (key === '__proto__')
      Object.defineProperty(result, key, { value: copy, enumerable: true, writable: true, configurable: true });
    else result[key] = copy;
  }
  return result;
}

function keyAt(text: string, offset: number): string {
  return (/^["']?([^"':\r\n]*)/.exec(text.slice(offset, offset + 300))?.[1] ?? '').trim();
}

const words: Readonly<Record<string, string>> = {
  BLOCK_AS_IMPLICIT_KEY: 'mapping values are not allowed in this context',
  TAB_AS_INDENT: 'found character that cannot start any token',
  BAD_INDENT: 'did not find expected key',
  BAD_COLLECTION_TYPE: 'did not find expected key',
  BAD_DQ_ESCAPE: 'found unknown escape character',
};

function describe(error: unknown, lines: Yaml.LineCounter): string {
  const { message, code, pos } = error as Error & Partial<Yaml.YAMLParseError>;
  if (error instanceof ReferenceError) {
    return message.startsWith('Unresolved alias')
      ? `unknown anchor '${/: (.*)$/.exec(message)?.[1] ?? ''}' referenced`
      : 'document contains excessive aliasing';
  }
  if (error instanceof RangeError) return 'exceeded max depth';
  const first = message.split('\n')[0] ?? '';
  const line = pos && lines.linePos(pos[0]).line;
  // Of the first line Go's parser does not tell.
  return `${line === undefined || line === 1 ? '' : `line ${line}: `}${words[code ?? ''] ?? first}`;
}
