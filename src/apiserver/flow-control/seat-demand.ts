/** Of the smoothed demand, how much is kept from one period to the next; so upstream's. */
const SMOOTHING = 0.977;

/** How many seats a level wants, those it has included: its highest and its average over a period, and a smoothed envelope. */
export class SeatDemand {
  #value = 0;
  #since = performance.now();
  #start = this.#since;
  #area = 0;
  #squares = 0;
  #peak = 0;
  /** Of the last whole period. */
  highWatermark = 0;
  average = 0;
  deviation = 0;
  smoothed = 0;

  /** `now` as `performance.now()` tells it. */
  set(value: number, now: number): void {
    this.#integrate(now);
    this.#value = value;
    if (value > this.#peak) this.#peak = value;
  }

  /** Ends a period. */
  turn(now: number): void {
    this.#integrate(now);
    this.highWatermark = this.#peak;
    const duration = now - this.#start;
    if (duration > 0) {
      this.average = this.#area / duration;
      this.deviation = Math.sqrt(Math.max(0, this.#squares / duration - this.average ** 2));
      const envelope = this.average + this.deviation;
      this.smoothed = Math.max(envelope, SMOOTHING * this.smoothed + (1 - SMOOTHING) * envelope);
    }
    this.#start = now;
    this.#area = 0;
    this.#squares = 0;
    this.#peak = this.#value;
  }

  #integrate(now: number): void {
    const weighted = this.#value * (now - this.#since);
    this.#area += weighted;
    this.#squares += weighted * this.#value;
    this.#since = now;
  }
}
