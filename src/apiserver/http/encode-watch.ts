import type { KindDefinition } from '../../api/kind.ts';
import type { StatusError } from '../../apimachinery/status-error.ts';
import { Batch, type Notice } from '../watch-cache/cache-event.ts';
import type { Entry } from '../watch-cache/entry.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Negotiated } from './negotiation.ts';
import { type IncludeObject, tableHead, writePartial, writeRow } from './table.ts';

/** Notices as the frames of one representation, one after another. What is not shared goes into `writer`, if given. */
export type FrameEncoder = (batch: Batch, writer?: ByteWriter) => Buffer;

interface FrameForm {
  /** Under which shared frames are kept with their notice. */
  readonly id: string;
  /** About how long a frame becomes. */
  size(entry: Entry): number;
  write(writer: ByteWriter, notice: Notice): void;
}

const OBJECT: FrameForm = { id: 'object', size: (entry) => entry.byteLength + 64, write: writeObjectFrame };

/** Frames of notices that others are told too are made once and shared by all watches of the representation. */
export function frameEncoder(
  definition: KindDefinition,
  as: Negotiated,
  include: IncludeObject,
  now: () => number,
): FrameEncoder {
  if (as.shape === 'object') return encoder(OBJECT);
  const { metaVersion } = as;
  if (as.shape !== 'table')
    return encoder({
      id: `partial/${metaVersion}`,
      size: (entry) => entry.metadataLength + 160,
      write: (writer, notice) => writePartialFrame(writer, notice, metaVersion),
    });
  // The columns are told once, in the first event.
  const table = (columns: boolean) =>
    encoder({
      id: `table/${metaVersion}/${include}${columns ? '/columns' : ''}`,
      size: (entry) => entry.metadataLength + 1024,
      write: (writer, notice) => writeTableFrame(writer, notice, definition, as, include, now(), columns),
    });
  const [head, rest] = [table(true), table(false)];
  let first = true;
  return (batch, writer) => {
    if (!first) return rest(batch, writer);
    first = false;
    const { notices } = batch;
    return Buffer.concat([head(new Batch(notices.slice(0, 1))), rest(new Batch(notices.slice(1)))]);
  };
}

function encoder({ id, size, write }: FrameForm): FrameEncoder {
  const joined = (notices: readonly Notice[], lent?: ByteWriter) => {
    const writer = lent ?? new ByteWriter(notices.reduce((sum, { entry }) => sum + size(entry), 0));
    for (const notice of notices) write(writer, notice);
    return writer.view();
  };
  return (batch, writer) => (batch.shared ? batch.frames(id, joined) : joined(batch.notices, writer));
}

function writeObjectFrame(writer: ByteWriter, { type, entry }: Notice): void {
  writer.text(`{"type":"${type}","object":`);
  writer.entry(entry);
  writer.text('}\n');
}

function writePartialFrame(writer: ByteWriter, { type, entry }: Notice, metaVersion: string): void {
  writer.text(`{"type":"${type}","object":`);
  writePartial(writer, entry, metaVersion);
  writer.text('}\n');
}

function writeTableFrame(
  writer: ByteWriter,
  { type, entry }: Notice,
  definition: KindDefinition,
  as: Negotiated,
  include: IncludeObject,
  now: number,
  columns: boolean,
): void {
  writer.text(`{"type":"${type}","object":`);
  writer.text(tableHead(definition, as.metaVersion, { resourceVersion: String(entry.revision) }, columns));
  // A bookmark has no cells to show, but its annotations count.
  if (type === 'BOOKMARK') {
    writer.text('{"cells":[],"object":');
    writePartial(writer, entry, as.metaVersion);
    writer.text('}');
  } else writeRow(writer, definition, entry, as, include, now);
  writer.text(']}}\n');
}

export function errorFrame(error: StatusError): string {
  return `{"type":"ERROR","object":${JSON.stringify(error.status)}}\n`;
}
