/** A failed call to the runtime. The message reads as gRPC clients print it: `rpc error: code = NotFound desc = ...`. */
export class RuntimeError extends Error {
  override readonly name = 'RuntimeError';
  /** gRPC's name: `NotFound`, `DeadlineExceeded`, `Unavailable`, ... */
  readonly code: string;
  /** Without the prefix. */
  readonly description: string;

  constructor(code: string, description: string, options?: { cause?: unknown }) {
    super(`rpc error: code = ${code} desc = ${description}`, options);
    this.code = code;
    this.description = description;
  }
}

export function isRuntimeError(error: unknown, code?: string): error is RuntimeError {
  return error instanceof RuntimeError && (code === undefined || error.code === code);
}

/** Awaits `call`; an object that is gone already counts as done. */
export async function ignoreNotFound(call: Promise<unknown>): Promise<void> {
  try {
    await call;
  } catch (error) {
    if (!isRuntimeError(error, 'NotFound')) throw error;
  }
}
