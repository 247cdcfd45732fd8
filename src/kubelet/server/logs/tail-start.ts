import type { FileHandle } from 'node:fs/promises';
import { parseLogLine } from './log-line.ts';

const BLOCK_BYTES = 64 * 1024;
const NEWLINE = 0x0a;

/** Where the last `lines` lines of the file begin. Parts of one line count as one. */
export async function tailStart(file: FileHandle, size: number, lines: number): Promise<number> {
  if (lines === 0) return size;
  let wanted: number | undefined;
  let position = size;
  let carry: Buffer = Buffer.alloc(0);
  while (position > 0) {
    const length = Math.min(BLOCK_BYTES, position);
    const block = Buffer.alloc(length);
    await file.read(block, 0, length, position - length);
    position -= length;
    const data = Buffer.concat([block, carry]);
    // Lines between newlines, last first; what is before the first newline belongs to the block before.
    let end = data.lastIndexOf(NEWLINE);
    while (end >= 0) {
      const before = end === 0 ? -1 : data.lastIndexOf(NEWLINE, end - 1);
      if (before < 0 && position > 0) break;
      const full = parseLogLine(data.subarray(before + 1, end))?.full ?? true;
      // A line that has not ended yet counts too.
      wanted ??= full ? lines + 1 : lines;
      if (full && --wanted === 0) return position + end + 1;
      end = before;
    }
    carry = end < 0 ? data : data.subarray(0, end + 1);
  }
  return 0;
}
