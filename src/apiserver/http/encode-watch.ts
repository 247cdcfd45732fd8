import type { KindDefinition } from '../../api/kind.ts';
import type { StatusError } from '../../apimachinery/status-error.ts';
import type { Notice } from '../watch-cache/cache-event.ts';
import { ByteWriter } from './byte-writer.ts';
import type { Negotiated } from './negotiation.ts';
import { type IncludeObject, tableHead, writePartial, writeRow } from './table.ts';

/** Turns notices into the frames of one representation; frames are shared by all watches of that representation. */
export type FrameEncoder = (notice: Notice) => Buffer;

export function frameEncoder(
  definition: KindDefinition,
  as: Negotiated,
  include: IncludeObject,
  now: () => number,
): FrameEncoder {
  if (as.shape === 'object') return (notice) => notice.frame('object', objectFrame);
  if (as.shape === 'partial') {
    const { metaVersion } = as;
    const encode = (notice: Notice) => partialFrame(notice, metaVersion);
    return (notice) => notice.frame(`partial/${metaVersion}`, encode);
  }
  // The columns are told once, in the first event.
  let first = true;
  const encode = (columns: boolean) => (notice: Notice) => tableFrame(notice, definition, as, include, now(), columns);
  const [head, rest] = [encode(true), encode(false)];
  const id = `table/${as.metaVersion}/${include}`;
  return (notice) => {
    if (!first) return notice.frame(id, rest);
    first = false;
    return notice.frame(`${id}/columns`, head);
  };
}

function objectFrame({ type, entry }: Notice): Buffer {
  const head = `{"type":"${type}","object":`;
  const frame = Buffer.allocUnsafe(head.length + entry.byteLength + 2);
  const end = entry.writeTo(frame, frame.latin1Write(head, 0));
  frame.latin1Write('}\n', end);
  return frame;
}

function partialFrame({ type, entry }: Notice, metaVersion: string): Buffer {
  const writer = new ByteWriter(entry.metadataLength + 128);
  writer.text(`{"type":"${type}","object":`);
  writePartial(writer, entry, metaVersion);
  writer.text('}\n');
  return writer.view();
}

function tableFrame(
  { type, entry }: Notice,
  definition: KindDefinition,
  as: Negotiated,
  include: IncludeObject,
  now: number,
  columns: boolean,
): Buffer {
  const writer = new ByteWriter(entry.metadataLength + 1024);
  writer.text(`{"type":"${type}","object":`);
  writer.text(tableHead(definition, as.metaVersion, { resourceVersion: String(entry.revision) }, columns));
  // A bookmark has no cells to show, but its annotations count.
  if (type === 'BOOKMARK') {
    writer.text('{"cells":[],"object":');
    writePartial(writer, entry, as.metaVersion);
    writer.text('}');
  } else writeRow(writer, definition, entry, as, include, now);
  writer.text(']}}\n');
  return writer.view();
}

export function errorFrame(error: StatusError): string {
  return `{"type":"ERROR","object":${JSON.stringify(error.status)}}\n`;
}
