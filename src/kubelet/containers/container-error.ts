/** Why a container does not run, as its status shows it: `CreateContainerConfigError`, `CrashLoopBackOff`, `ErrImagePull`, ... */
export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly reason: string;
  /** When another try makes sense, epoch milliseconds; the worker's own back-off when absent. */
  readonly retryAt: number | undefined;

  constructor(reason: string, message: string, options?: { cause?: unknown; retryAt?: number }) {
    super(message, options);
    this.reason = reason;
    this.retryAt = options?.retryAt;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
