/** Pods meant by a count or a percentage of `total`. */
export function scaledValue(value: number | string, total: number, round: (n: number) => number): number {
  if (typeof value === 'number') return value;
  return value.endsWith('%') ? round((Number(value.slice(0, -1)) * total) / 100) : Number(value);
}
