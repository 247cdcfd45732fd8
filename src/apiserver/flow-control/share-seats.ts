/** What one level may have, and what it would like: `lower <= target`, `lower <= upper`. */
export interface SeatClaim {
  readonly lower: number;
  readonly upper: number;
  readonly target: number;
}

/** Levels that want nothing still take part. */
const MIN_TARGET = 0.001;
const ROUNDS = 64;

/**
 * Divides `seats` so that everybody gets the same fraction of their target, unless a bound of theirs says otherwise. Whoever
 * can't be satisfied together get their lower (or upper) bounds.
 */
export function shareSeats(seats: number, claims: readonly SeatClaim[]): { seats: number[]; fraction: number } {
  const give = (fraction: number) =>
    claims.map(({ lower, upper, target }) => Math.min(upper, Math.max(lower, fraction * Math.max(target, MIN_TARGET))));
  const sum = (given: readonly number[]) => given.reduce((total, each) => total + each, 0);
  let high = 0;
  for (const { upper, target } of claims) high = Math.max(high, upper / Math.max(target, MIN_TARGET));
  let low = 0;
  // The sum grows with the fraction: bisection finds where it is what there is to give.
  for (let round = 0; round < ROUNDS; round++) {
    const middle = (low + high) / 2;
    if (sum(give(middle)) < seats) low = middle;
    else high = middle;
  }
  return { seats: give(high), fraction: high };
}
