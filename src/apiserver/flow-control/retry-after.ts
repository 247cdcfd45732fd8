const MAX_SECONDS = 32;

/** How long refused clients are told to stay away: twice as long while many are refused, then a second less at a time. */
export class RetryAfter {
  readonly #refused = new Map<number, number>();
  #current = 0;
  #changedAt = 0;
  seconds = 1;

  /** `second`: of the clock. */
  refuse(second: number): void {
    this.#refused.set(second, (this.#refused.get(second) ?? 0) + 1);
    if (second === this.#current) return;
    this.#current = second;
    let recent = 0;
    for (const [at, count] of this.#refused) {
      if (second - at > MAX_SECONDS) this.#refused.delete(at);
      else if (at < second && second - at <= this.seconds) recent += count;
    }
    if (second - this.#changedAt < this.seconds) return;
    if (recent >= 3 * this.seconds) this.seconds = Math.min(MAX_SECONDS, this.seconds * 2);
    else if (recent < this.seconds && this.seconds > 1) this.seconds--;
    else return;
    this.#changedAt = second;
  }
}
