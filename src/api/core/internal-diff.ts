import { internalForm } from './internal-form.ts';

/**
 * What changed between two values of an internal type, as Kubernetes tells it since 1.35: the unified diff of their
 * indented JSON, with three lines around each change.
 */
export function internalDiff(type: string, old: unknown, now: unknown): string {
  return unifiedDiff(linesOf(internalForm(type, old)), linesOf(internalForm(type, now)));
}

/** Go's JSON is fit for HTML. */
const linesOf = (value: unknown) =>
  JSON.stringify(value, null, 2)
    .replace(/[<>&]/g, (sign) => `\\u00${sign.charCodeAt(0).toString(16)}`)
    .split('\n');

const CONTEXT = 3;
/** Larger changes than this are shown as one, not looked into: comparing takes time that grows with the square. */
const MAX_LINES = 2000;

interface Block {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

interface Change {
  readonly fromA: number;
  readonly toA: number;
  readonly fromB: number;
  readonly toB: number;
}

export function unifiedDiff(a: readonly string[], b: readonly string[]): string {
  const out: string[] = [];
  for (const group of grouped(changesBetween(a, b))) {
    const first = group[0]!;
    const last = group[group.length - 1]!;
    const fromA = Math.max(0, first.fromA - CONTEXT);
    const fromB = Math.max(0, first.fromB - CONTEXT);
    const toA = Math.min(a.length, last.toA + CONTEXT);
    const toB = Math.min(b.length, last.toB + CONTEXT);
    out.push(`@@ -${range(fromA, toA)} +${range(fromB, toB)} @@`);
    let at = fromA;
    for (const change of group) {
      for (; at < change.fromA; at++) out.push(` ${a[at]}`);
      for (; at < change.toA; at++) out.push(`-${a[at]}`);
      for (let i = change.fromB; i < change.toB; i++) out.push(`+${b[i]}`);
    }
    for (; at < toA; at++) out.push(` ${a[at]}`);
  }
  return out.map((line) => `${line}\n`).join('');
}

function range(from: number, to: number): string {
  const length = to - from;
  if (length === 1) return String(from + 1);
  return `${length === 0 ? from : from + 1},${length}`;
}

/** Changes whose surroundings touch are shown together. */
function grouped(changes: readonly Change[]): Change[][] {
  const groups: Change[][] = [];
  for (const change of changes) {
    const group = groups[groups.length - 1];
    const last = group?.[group.length - 1];
    if (group && last && change.fromA - last.toA <= 2 * CONTEXT) group.push(change);
    else groups.push([change]);
  }
  return groups;
}

function changesBetween(a: readonly string[], b: readonly string[]): Change[] {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const blocks =
    a.length > MAX_LINES || b.length > MAX_LINES
      ? [
          { a: 0, b: 0, size: start },
          { a: a.length - end, b: b.length - end, size: end },
        ]
      : matchingBlocks(a, b);
  const changes: Change[] = [];
  let fromA = 0;
  let fromB = 0;
  for (const block of [...blocks, { a: a.length, b: b.length, size: 0 }]) {
    if (block.a > fromA || block.b > fromB) changes.push({ fromA, toA: block.a, fromB, toB: block.b });
    fromA = block.a + block.size;
    fromB = block.b + block.size;
  }
  return changes;
}

/** Ratcliff and Obershelp: the longest common run, then the same before and after it. */
function matchingBlocks(a: readonly string[], b: readonly string[]): Block[] {
  const places = new Map<string, number[]>();
  b.forEach((line, index) => {
    const known = places.get(line);
    if (known) known.push(index);
    else places.set(line, [index]);
  });
  // Lines that are all over a long text say nothing of where one is in it.
  if (b.length >= 200)
    for (const [line, found] of places) if (found.length > Math.floor(b.length / 100) + 1) places.delete(line);
  const blocks: Block[] = [];
  const queue: [number, number, number, number][] = [[0, a.length, 0, b.length]];
  for (let next = queue.pop(); next; next = queue.pop()) {
    const [fromA, toA, fromB, toB] = next;
    const match = longestMatch(a, b, places, fromA, toA, fromB, toB);
    if (match.size === 0) continue;
    blocks.push(match);
    queue.push([fromA, match.a, fromB, match.b], [match.a + match.size, toA, match.b + match.size, toB]);
  }
  return blocks.sort((one, other) => one.a - other.a);
}

function longestMatch(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  fromA: number,
  toA: number,
  fromB: number,
  toB: number,
): Block {
  let best = { a: fromA, b: fromB, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = fromA; i < toA; i++) {
    const now = new Map<number, number>();
    for (const j of places.get(a[i]!) ?? []) {
      if (j < fromB) continue;
      if (j >= toB) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      now.set(j, size);
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size };
    }
    lengths = now;
  }
  let { a: atA, b: atB, size } = best;
  while (atA > fromA && atB > fromB && a[atA - 1] === b[atB - 1]) {
    atA--;
    atB--;
    size++;
  }
  while (atA + size < toA && atB + size < toB && a[atA + size] === b[atB + size]) size++;
  return { a: atA, b: atB, size };
}
