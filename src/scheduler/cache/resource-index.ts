/** Gives resource names small numbers, so that a node's amounts are a typed array. One per cache. */
export class ResourceIndex {
  readonly #numbers = new Map<string, number>();
  readonly names: string[] = [];

  constructor() {
    for (const name of ['cpu', 'memory', 'ephemeral-storage', 'pods']) this.numberOf(name);
  }

  numberOf(name: string): number {
    let number = this.#numbers.get(name);
    if (number === undefined) {
      number = this.names.length;
      this.#numbers.set(name, number);
      this.names.push(name);
    }
    return number;
  }
}

export const CPU = 0;
export const MEMORY = 1;
export const PODS = 3;

/** Amounts by resource number; grows when resources turn up. Missing entries are 0. */
export function grown(amounts: Float64Array, length: number): Float64Array {
  if (amounts.length >= length) return amounts;
  const larger = new Float64Array(length + 4);
  larger.set(amounts);
  return larger;
}
