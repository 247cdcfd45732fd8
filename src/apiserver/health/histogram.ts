import type { HistogramSample, Labels } from './exposition.ts';

/** One series of a histogram. */
export class Histogram {
  readonly #bounds: readonly number[];
  /** Each counts what the one before did not. */
  readonly #buckets: number[];
  #sum = 0;
  count = 0;

  /** Upper bounds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#buckets = new Array(bounds.length).fill(0);
  }

  observe(value: number): void {
    this.count++;
    this.#sum += value;
    addToBucket(this.#buckets, this.#bounds, value);
  }

  sample(labels: Labels): HistogramSample {
    return { labels, bounds: this.#bounds, buckets: cumulative(this.#buckets), sum: this.#sum, count: this.count };
  }
}

/** Most values are small: the first bucket that takes it is found soon. `buckets` are not cumulative. */
export function addToBucket(buckets: number[], bounds: readonly number[], value: number): void {
  for (let i = 0; i < bounds.length; i++)
    if (value <= bounds[i]!) {
      buckets[i]!++;
      return;
    }
}

export function cumulative(buckets: readonly number[]): number[] {
  let sum = 0;
  return buckets.map((count) => (sum += count));
}

/** `first`, and each next one `factor` times as much. */
export const exponentialBounds = (first: number, factor: number, count: number): number[] =>
  Array.from({ length: count }, (_, index) => Number((first * factor ** index).toPrecision(12)));
