import { notAcceptable } from '../../apimachinery/status-error.ts';
import { headerOf, type RequestHeaders } from '../request/request-context.ts';

export type Format = 'json' | 'yaml' | 'protobuf';
export type Shape = 'object' | 'table' | 'partial' | 'partialList';

/** How a client wants its answer. */
export interface Negotiated {
  readonly format: Format;
  readonly shape: Shape;
  /** Of the Table or PartialObjectMetadata: `v1` or `v1beta1`. */
  readonly metaVersion: string;
  readonly pretty: boolean;
}

/** What an answer can be. */
export interface Offer {
  /** A Table, or metadata alone. */
  readonly shapes: boolean;
  /** Whether the answer as it is has such a form; metadata alone always has. */
  readonly protobuf: boolean;
  /** A watch: YAML has no form for those. */
  readonly stream?: boolean;
}

export interface AcceptClause {
  readonly mediaType: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const PLAIN: Negotiated = { format: 'json', shape: 'object', metaVersion: 'v1', pretty: false };
/** In the order in which a wildcard finds them. */
const FORMATS: readonly { readonly format: Format; readonly mediaType: string; readonly streams: boolean }[] = [
  { format: 'json', mediaType: 'application/json', streams: true },
  { format: 'yaml', mediaType: 'application/yaml', streams: false },
  { format: 'protobuf', mediaType: 'application/vnd.kubernetes.protobuf', streams: true },
];
const SHAPES: ReadonlyMap<string | undefined, Shape> = new Map([
  [undefined, 'object'],
  ['Table', 'table'],
  ['PartialObjectMetadata', 'partial'],
  ['PartialObjectMetadataList', 'partialList'],
]);

/** By preference: higher `q` first, wildcards after what is named, then in the order given. What is no media type is left out. */
export function parseAccept(accept: string): AcceptClause[] {
  const clauses: (AcceptClause & { readonly q: number })[] = [];
  for (const text of accept.split(',')) {
    const [range = '', ...rest] = text.split(';');
    const mediaType = range.trim() === '*' ? '*/*' : range.trim().replace(/\s*\/\s*/, '/');
    if (!/^[^/]+\/[^/]+$/.test(mediaType)) continue;
    const parameters: Record<string, string> = {};
    let q = 1;
    for (const parameter of rest) {
      const [name = '', value = '', ...more] = parameter.split('=');
      if (value === '' || more.length > 0) continue;
      if (name.trim() === 'q') q = Number.parseFloat(value) || 0;
      else parameters[name.trim()] = value.trim();
    }
    let at = clauses.length;
    const clause = { mediaType, parameters, q };
    while (at > 0 && goesBefore(clause, clauses[at - 1]!)) at--;
    clauses.splice(at, 0, clause);
  }
  return clauses;
}

/** The order is none of a whole: a named type comes before a wildcard whatever their `q`. */
function goesBefore(a: { mediaType: string; q: number }, b: { mediaType: string; q: number }): boolean {
  if (a.q > b.q) return true;
  if (!a.mediaType.startsWith('*') && b.mediaType.startsWith('*')) return true;
  return !a.mediaType.endsWith('/*') && b.mediaType.endsWith('/*');
}

/** The first of the client's wishes that can be met. Throws StatusError 406 when there is none. */
export function negotiate(accept: string | undefined, offer: Offer): Negotiated {
  if (!accept || accept === 'application/json' || accept === '*/*') return PLAIN;
  for (const clause of parseAccept(accept)) {
    for (const { format, mediaType, streams } of FORMATS) {
      if (!matches(clause.mediaType, mediaType)) continue;
      const as = accepted(clause.parameters, format, streams, offer);
      if (!as) continue;
      if (offer.stream && !streams) throw notAcceptableFor(offer);
      return as;
    }
  }
  throw notAcceptableFor(offer);
}

/** The first of the client's wishes for another kind of document, `to`, than what the path is for; undefined: it has none. */
export function negotiateConversion(
  accept: string | undefined,
  to: { readonly group: string; readonly version: string; readonly kind: string },
): { readonly format: Format; readonly pretty: boolean } | undefined {
  if (!accept?.includes(to.kind)) return undefined;
  for (const { mediaType: wanted, parameters } of parseAccept(accept)) {
    const { as, g, v, stream, sv, pretty } = parameters;
    if (as !== to.kind || g !== to.group || v !== to.version || sv) continue;
    const found = FORMATS.find(
      ({ mediaType, streams }) => matches(wanted, mediaType) && (!stream || (streams && stream === 'watch')),
    );
    if (found) return { format: found.format, pretty: pretty === '1' };
  }
  return undefined;
}

/** JSON for people: when the query says so, or to clients that people use. */
export function wantsPretty(headers: RequestHeaders, query: URLSearchParams): boolean {
  const pretty = query.get('pretty');
  if (pretty) return /^(?:1|t|true|T|True|TRUE)$/.test(pretty);
  const agent = headerOf(headers, 'user-agent');
  return agent !== undefined && /^(?:curl|Wget|Mozilla\/5\.0)/.test(agent);
}

export function mediaTypeOf(format: Format): string {
  return FORMATS.find((candidate) => candidate.format === format)!.mediaType;
}

function matches(wanted: string, mediaType: string): boolean {
  return wanted === mediaType || wanted === '*/*' || wanted === 'application/*';
}

function accepted(
  { as, g, v, stream, sv, pretty }: AcceptClause['parameters'],
  format: Format,
  streams: boolean,
  { shapes, protobuf }: Offer,
): Negotiated | undefined {
  if (stream && (!streams || stream !== 'watch')) return undefined;
  if (sv && sv !== 'v1') return undefined;
  if (as === undefined && g === undefined && v === undefined)
    return format === 'protobuf' && !protobuf ? undefined : { ...PLAIN, format, pretty: pretty === '1' };
  const shape = SHAPES.get(as);
  if (!shapes || !shape || shape === 'object' || g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1'))
    return undefined;
  if (shape === 'table' && format === 'protobuf') return undefined;
  return { format, shape, metaVersion: v, pretty: pretty === '1' };
}

function notAcceptableFor({ stream }: Offer) {
  return stream
    ? notAcceptable(FORMATS.filter(({ streams }) => streams).map(({ mediaType }) => `${mediaType};stream=watch`))
    : notAcceptable(FORMATS.map(({ mediaType }) => mediaType));
}

export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return (
    acceptEncoding !== undefined &&
    /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/.test(acceptEncoding)
  );
}
