import type { Status } from '../../../apimachinery/meta.ts';

/** What the error channel carries at the end of exec and attach: a metav1.Status, without kind and version. */
export type ExitStatus = Omit<Status, 'apiVersion' | 'kind'>;

export const SUCCESS: ExitStatus = { metadata: {}, status: 'Success' };

export function exitStatus(exitCode: number): ExitStatus {
  if (exitCode === 0) return SUCCESS;
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: exit status ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  };
}

export function failureStatus(error: unknown): ExitStatus {
  const message = error instanceof Error ? error.message : String(error);
  return {
    metadata: {},
    status: 'Failure',
    message: `Internal error occurred: ${message}`,
    reason: 'InternalError',
    details: { causes: [{ message }] },
    code: 500,
  };
}
