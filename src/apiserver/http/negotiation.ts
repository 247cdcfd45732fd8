import { notAcceptable } from '../../apimachinery/status-error.ts';

export type Format = 'json' | 'yaml' | 'protobuf';
export type Shape = 'object' | 'table' | 'partial';

/** How a client wants its answer. */
export interface Negotiated {
  readonly format: Format;
  readonly shape: Shape;
  /** Of the Table or PartialObjectMetadata: `v1` or `v1beta1`. */
  readonly metaVersion: string;
}

export interface AcceptClause {
  readonly mediaType: string;
  readonly parameters: Readonly<Record<string, string>>;
}

const PLAIN: Negotiated = { format: 'json', shape: 'object', metaVersion: 'v1' };
const FORMATS: ReadonlyMap<string, Format> = new Map([
  ['application/json', 'json'],
  ['application/*', 'json'],
  ['*/*', 'json'],
  ['application/yaml', 'yaml'],
  ['application/vnd.kubernetes.protobuf', 'protobuf'],
]);
export const ACCEPTED = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'];

/** By preference: higher `q` first, then in the order given. */
export function parseAccept(accept: string): AcceptClause[] {
  return accept
    .split(',')
    .map((text, order) => {
      const [mediaType = '', ...rest] = text.split(';').map((part) => part.trim());
      const parameters: Record<string, string> = {};
      for (const parameter of rest) {
        const equals = parameter.indexOf('=');
        if (equals > 0)
          parameters[parameter.slice(0, equals).toLowerCase()] = parameter.slice(equals + 1).replace(/^"|"$/g, '');
      }
      return { mediaType: mediaType.toLowerCase(), parameters, q: Number(parameters.q ?? 1), order };
    })
    .filter(({ mediaType, q }) => mediaType !== '' && q > 0)
    .sort((a, b) => b.q - a.q || a.order - b.order);
}

/**
 * The first of the client's wishes that can be met. `shapes`: whether the answer can be a Table or metadata alone;
 * `protobuf`: whether it has such a form.
 */
export function negotiate(accept: string | undefined, shapes: boolean, protobuf: boolean): Negotiated {
  if (!accept || accept === 'application/json' || accept === '*/*') return PLAIN;
  for (const { mediaType, parameters } of parseAccept(accept)) {
    const format = FORMATS.get(mediaType);
    if (!format || (format === 'protobuf' && !protobuf)) continue;
    const { as, g, v } = parameters;
    if (as === undefined) return { ...PLAIN, format };
    if (!shapes || g !== 'meta.k8s.io' || (v !== 'v1' && v !== 'v1beta1')) continue;
    if (format === 'protobuf') continue;
    if (as === 'Table') return { format, shape: 'table', metaVersion: v };
    if (as === 'PartialObjectMetadata' || as === 'PartialObjectMetadataList')
      return { format, shape: 'partial', metaVersion: v };
  }
  throw notAcceptable(ACCEPTED);
}

export function acceptsGzip(acceptEncoding: string | undefined): boolean {
  return (
    acceptEncoding !== undefined &&
    /(?:^|,)\s*(?:gzip|\*)\s*(?:;\s*q=(?!0(?:\.0*)?\s*(?:,|$))[\d.]+\s*)?(?:,|$)/.test(acceptEncoding)
  );
}
