const NEWLINE = 10;

/** Cuts a byte stream into lines of UTF-8; keeps an unfinished line for the next chunk. Empty lines are left out. */
export function createLineSplitter(): (chunk: Uint8Array) => string[] {
  let rest: Buffer[] = [];
  return (chunk) => {
    const buffer = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    const lines: string[] = [];
    let start = 0;
    for (let end = buffer.indexOf(NEWLINE); end >= 0; end = buffer.indexOf(NEWLINE, start)) {
      const piece = buffer.subarray(start, end);
      const line = (rest.length > 0 ? Buffer.concat([...rest, piece]) : piece).toString('utf8');
      rest = [];
      if (line.trim()) lines.push(line);
      start = end + 1;
    }
    if (start < buffer.length) rest.push(buffer.subarray(start));
    return lines;
  };
}
