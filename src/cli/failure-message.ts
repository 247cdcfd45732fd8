import { CodedError } from '../apimachinery/coded-error.ts';

/** What a process in the background tells the one that started it. */
export interface FailureMessage {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Tells the parent, if this process was started by `--detach`. */
export function sendFailure(error: unknown): void {
  if (!process.connected || !(error instanceof CodedError)) return;
  const { code, message, remedy } = error;
  process.send?.({ code, message, remedy } satisfies FailureMessage);
}
