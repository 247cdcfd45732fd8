import { apiVersionOf } from '../../apimachinery/meta.ts';
import type { ListResult } from '../request/result.ts';
import type { ByteWriter } from './byte-writer.ts';
import type { Negotiated } from './negotiation.ts';
import { type IncludeObject, tableHead, writePartial, writeRow } from './table.ts';

const TAIL = ']}\n';

/** A list's JSON in three parts: a head, one part per entry, a tail. */
export interface ListEncoding {
  readonly head: string;
  readonly tail: string;
  /** In bytes, where it is known beforehand: of head, items, the commas between them and tail. */
  readonly length?: number;
  writeItem(writer: ByteWriter, index: number): void;
}

export function encodeList(result: ListResult, as: Negotiated, include: IncludeObject, now: number): ListEncoding {
  const { definition, entries, metadata } = result;
  const served = (index: number) => entries[index]!.as(definition);
  switch (as.shape) {
    case 'table':
      return {
        head: tableHead(definition, as.metaVersion, metadata, true),
        tail: TAIL,
        writeItem: (writer, index) => writeRow(writer, definition, served(index), as, include, now),
      };
    case 'partial':
    case 'partialList':
      return {
        head: `{"kind":"PartialObjectMetadataList","apiVersion":"meta.k8s.io/${as.metaVersion}","metadata":${JSON.stringify(metadata)},"items":[`,
        tail: TAIL,
        writeItem: (writer, index) => writePartial(writer, served(index), as.metaVersion),
      };
    default: {
      const head = `{"kind":${JSON.stringify(definition.listKind)},"apiVersion":${JSON.stringify(apiVersionOf(definition.group, definition.version))},"metadata":${JSON.stringify(metadata)},"items":[`;
      let length = Buffer.byteLength(head) + Math.max(0, entries.length - 1) + TAIL.length;
      for (let index = 0; index < entries.length; index++) length += served(index).byteLength;
      return { head, tail: TAIL, length, writeItem: (writer, index) => writer.entry(served(index)) };
    }
  }
}
