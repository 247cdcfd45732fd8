const SPACE = 0x20;
const FULL = 0x46;
const COLON = 0x3a;

/** One line of a CRI log file: `2026-01-02T03:04:05.678Z stdout F text`. */
export interface LogLine {
  readonly timestamp: string;
  readonly stream: 'stdout' | 'stderr';
  /** False for a part of a longer line (tag `P`). */
  readonly full: boolean;
  /** Without the newline. */
  readonly text: Buffer;
}

/** `line` is without its newline. Undefined for what is no log line. */
export function parseLogLine(line: Buffer): LogLine | undefined {
  const first = line.indexOf(SPACE);
  const second = first < 0 ? -1 : line.indexOf(SPACE, first + 1);
  if (second < 0) return undefined;
  const stream = line.toString('latin1', first + 1, second);
  if (stream !== 'stdout' && stream !== 'stderr') return undefined;
  const third = line.indexOf(SPACE, second + 1);
  const tagEnd = third < 0 ? line.length : third;
  const afterTag = line[second + 2];
  const full = line[second + 1] === FULL && (second + 2 >= tagEnd || afterTag === COLON);
  return {
    timestamp: line.toString('latin1', 0, first),
    stream,
    full,
    text: third < 0 ? Buffer.alloc(0) : line.subarray(third + 1),
  };
}

/** As `kubectl logs --timestamps` shows it: always nine digits of the second. */
export function fixedTimestamp(timestamp: string): string {
  return timestamp.replace(
    /^([^.Zz+]*?T[^.Zz+-]*)(?:\.(\d+))?/,
    (_all, seconds: string, fraction = '') => `${seconds}.${fraction.padEnd(9, '0').slice(0, 9)}`,
  );
}
