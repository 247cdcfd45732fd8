const SLICE_MS = 4;

/** For long work on the event loop: `breathe` lets others run when a slice of time is used up. */
export class Paced {
  #since = performance.now();

  async breathe(): Promise<void> {
    if (performance.now() - this.#since < SLICE_MS) return;
    await new Promise((resolve) => setImmediate(resolve));
    this.#since = performance.now();
  }
}
