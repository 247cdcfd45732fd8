/**
 * An error for a person: a stable code, what happened, and what to do about it.
 * API errors are not of this class but `StatusError`.
 */
export class CodedError extends Error {
  override readonly name = 'CodedError';
  readonly code: string;
  readonly remedy: string;

  /**
   * @param code stable, upper snake case, e.g. `PORT_IN_USE`
   * @param message what happened, one sentence
   * @param remedy what the reader can do, one sentence
   */
  constructor(code: string, message: string, remedy: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
    this.remedy = remedy;
  }
}
