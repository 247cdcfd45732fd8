/** Why a container does not run, as its status shows it: `CreateContainerConfigError`, `CrashLoopBackOff`, `ErrImagePull`, ... */
export class ContainerError extends Error {
  override readonly name = 'ContainerError';
  readonly reason: string;
  /** When another try makes sense, epoch milliseconds; the worker's own back-off when absent. */
  readonly retryAt: number | undefined;
  /** It was told in an event before. */
  readonly repeated: boolean;

  constructor(reason: string, message: string, options?: { cause?: unknown; retryAt?: number; repeated?: boolean }) {
    super(message, options);
    this.reason = reason;
    this.retryAt = options?.retryAt;
    this.repeated = options?.repeated ?? false;
  }
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
