import type { KindDefinition } from '../../api/kind.ts';
import type { UnstructuredObject } from '../../apimachinery/meta.ts';
import { badRequest } from '../../apimachinery/status-error.ts';
import type { Entry } from '../watch-cache/entry.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Negotiated } from './negotiation.ts';

export type IncludeObject = 'Metadata' | 'Object' | 'None';

/** The query's `includeObject`. Throws StatusError 400. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject') || 'Metadata';
  if (value === 'Metadata' || value === 'Object' || value === 'None') return value;
  throw badRequest(
    `Unable to convert to Table as requested: includeObject: Invalid value: ${JSON.stringify(value)}: must be 'Metadata', 'Object', 'None', or empty`,
  );
}

/** What of a kind its tables show. */
type Columns = Pick<KindDefinition, 'columns'>;

function columnDefinitions(definition: Columns): object[] {
  return definition.columns.map(({ name, type, format, description, priority }) => ({
    name,
    type,
    format: format ?? (name === 'Name' ? 'name' : ''),
    description,
    priority,
  }));
}

export function tableHead(definition: Columns, metaVersion: string, metadata: object, columns: boolean): string {
  const definitions = columns ? JSON.stringify(columnDefinitions(definition)) : 'null';
  return `{"kind":"Table","apiVersion":"meta.k8s.io/${metaVersion}","metadata":${JSON.stringify(metadata)},"columnDefinitions":${definitions},"rows":[`;
}

/** One row: the cells, and as much of the object as was asked for. `entry` is in the served version. */
export function writeRow(
  writer: ByteWriter,
  definition: KindDefinition,
  entry: Entry,
  { metaVersion }: Negotiated,
  include: IncludeObject,
  now: number,
): void {
  writer.text(`{"cells":${JSON.stringify(cells(definition, entry.object, now))}`);
  const conditions = definition.rowConditions?.(entry.object) ?? [];
  if (conditions.length > 0) writer.text(`,"conditions":${JSON.stringify(conditions)}`);
  if (include === 'None') writer.text(',"object":null}');
  else {
    writer.text(',"object":');
    if (include === 'Object') writer.entry(entry);
    else writePartial(writer, entry, metaVersion);
    writer.text('}');
  }
}

/** The table of one object that is not stored. */
export function objectTable(
  object: UnstructuredObject,
  columns: KindDefinition['columns'],
  { metaVersion }: Negotiated,
  include: IncludeObject,
  now: number,
): string {
  const partial = {
    kind: 'PartialObjectMetadata',
    apiVersion: `meta.k8s.io/${metaVersion}`,
    metadata: object.metadata,
  };
  const shown = include === 'None' ? null : include === 'Object' ? object : partial;
  const { resourceVersion } = object.metadata;
  return `${tableHead({ columns }, metaVersion, { resourceVersion }, true)}${JSON.stringify({ cells: cells({ columns }, object, now), object: shown })}]}\n`;
}

export function writePartial(writer: ByteWriter, entry: Entry, metaVersion: string): void {
  writer.text(`{"kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/${metaVersion}",`);
  writer.metadata(entry);
  writer.text('}');
}

function cells(definition: Columns, object: UnstructuredObject, now: number): unknown[] {
  return definition.columns.map((column) => {
    try {
      return column.value(object, now) ?? null;
    } catch {
      // A column over a field that this object does not have in the expected form shows nothing.
      return null;
    }
  });
}
