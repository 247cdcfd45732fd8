/** How many steps one expression may take, as upstream has it. */
export const EXPRESSION_STEPS = 1_000_000;

/** The message of upstream for an expression that takes too long. */
export const COST_EXCEEDED = 'operation cancelled: actual cost limit exceeded';

/** What several expressions may take together. With `turns`, an evaluation that takes long is a promise. */
export interface Budget {
  left: number;
  readonly turns?: Turns;
}

/** How long an evaluation goes on before others have their turn. */
const TURN_MS = 5;

/** The turns of the event loop that one evaluation takes, or several one after the other. */
export class Turns {
  #until = performance.now() + TURN_MS;

  get over(): boolean {
    return performance.now() > this.#until;
  }

  async next(): Promise<void> {
    await new Promise(setImmediate);
    this.#until = performance.now() + TURN_MS;
  }
}

/** What is left to one evaluation. */
interface Allowance {
  left: number;
  readonly turns: Turns | undefined;
}

/** After so many steps the allowance and the time are looked at. */
const SLICE = 1000;

/** Counts the steps of the expressions of one environment, of which others may be evaluated while one waits. */
export class Meter {
  /** Counted down by whoever takes a step; `next` is due below zero. */
  slice = 0;
  #granted = 0;
  /** Of what goes on after the authorizer was asked. */
  readonly #idle: Allowance = { left: EXPRESSION_STEPS, turns: undefined };
  #current = this.#idle;
  /** One error for all: those who are told a thousand times need no thousand stack traces. */
  readonly #exceeded = new Error(COST_EXCEEDED);

  begin(steps: number, turns: Turns | undefined): { readonly allowance: Allowance; readonly outer: Allowance } {
    const outer = this.#current;
    const allowance = { left: steps, turns };
    this.#enter(allowance);
    return { allowance, outer };
  }

  /** Goes on with what `begin` interrupted. */
  end(outer: Allowance): void {
    this.#enter(outer);
    if (outer === this.#idle) outer.left = EXPRESSION_STEPS;
  }

  /** Where another slice begins: a promise to go on later when `mayWait` and others are due. Throws when nothing is left. */
  next(mayWait: boolean): Promise<void> | undefined {
    const current = this.#current;
    this.settle();
    if (current.left < 0) throw this.#exceeded;
    const { turns } = current;
    if (turns?.over) {
      if (mayWait)
        return turns.next().then(() => {
          this.#enter(current);
        });
      // The next place where it can wait is near.
      this.#grant(0);
    } else this.#grant(SLICE);
    return undefined;
  }

  #enter(allowance: Allowance): void {
    this.settle();
    this.#current = allowance;
    this.#grant(SLICE);
  }

  /** Takes into account what was counted since the last slice began. */
  settle(): void {
    this.#current.left -= this.#granted - this.slice;
    this.#granted = 0;
    this.slice = 0;
  }

  #grant(steps: number): void {
    this.#granted = Math.min(steps, Math.max(0, this.#current.left));
    this.slice = this.#granted;
  }
}
