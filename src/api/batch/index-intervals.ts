/** Completion indexes as Jobs write them: `1,3-5,7`, in increasing order. */

export interface IndexInterval {
  readonly first: number;
  readonly last: number;
}

/** Throws Error with Kubernetes' wording; every index must be below `completions`. */
export function parseIndexIntervals(text: string, completions: number): readonly IndexInterval[] {
  if (text === '') return [];
  const intervals: IndexInterval[] = [];
  for (const part of text.split(',')) {
    const interval = parseInterval(part, completions);
    const previous = intervals.at(-1)?.last;
    if (previous !== undefined && previous >= interval.first)
      throw new Error(`non-increasing order, previous: ${previous}, current: ${interval.first}`);
    intervals.push(interval);
  }
  return intervals;
}

export function countIndexes(intervals: readonly IndexInterval[]): number {
  return intervals.reduce((total, { first, last }) => total + last - first + 1, 0);
}

/** The first index that is in both; both are in increasing order. */
export function firstOverlap(a: readonly IndexInterval[], b: readonly IndexInterval[]): number | undefined {
  let i = 0;
  let j = 0;
  for (let x = a[i], y = b[j]; x && y; x = a[i], y = b[j]) {
    if (x.first <= y.last && y.first <= x.last) return Math.max(x.first, y.first);
    if (x.first <= y.first) i++;
    else j++;
  }
  return undefined;
}

function parseInterval(text: string, completions: number): IndexInterval {
  const limits = text.split('-');
  if (limits.length > 2)
    throw new Error(
      `the fragment ${JSON.stringify(text)} violates the requirement that an index interval can have at most two parts separated by '-'`,
    );
  const [first = 0, last = first] = limits.map((limit) => parseIndex(limit, completions));
  if (limits.length === 2 && first >= last)
    throw new Error(`non-increasing order, previous: ${first}, current: ${last}`);
  return { first, last };
}

function parseIndex(text: string, completions: number): number {
  if (!/^[+-]?\d+$/.test(text)) throw new Error(`cannot convert string to integer for index: ${JSON.stringify(text)}`);
  const index = Number(text);
  if (index >= completions) throw new Error(`too large index: ${JSON.stringify(text)}`);
  return index;
}
