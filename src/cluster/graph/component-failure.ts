import { CodedError } from '../../apimachinery/coded-error.ts';

const SEE_LOG = 'See the log in the data directory (logs/k8ts.log) for what led to it.';

/** What the operating system refused, by errno. */
const SYSTEM_ERRORS: Readonly<Record<string, { code: string; what: string; remedy: string }>> = {
  ENOSPC: {
    code: 'DISK_FULL',
    what: 'no space is left on the disk',
    remedy: 'Free space on the disk of the data directory, or choose another with --data-dir.',
  },
  EDQUOT: {
    code: 'DISK_FULL',
    what: 'the disk quota is used up',
    remedy: 'Free space in the data directory, or choose another with --data-dir.',
  },
  EROFS: {
    code: 'NOT_PERMITTED',
    what: 'the disk is read-only',
    remedy: 'Choose a data directory on another disk with --data-dir.',
  },
  EACCES: {
    code: 'NOT_PERMITTED',
    what: 'permission was denied',
    remedy: 'Run as root, or choose another --data-dir.',
  },
  EPERM: { code: 'NOT_PERMITTED', what: 'the system does not permit it', remedy: 'Run as root.' },
  EMFILE: {
    code: 'TOO_MANY_FILES',
    what: 'this process has too many files open',
    remedy: 'Raise the limit (ulimit -n) and try again.',
  },
};

/** The failure of a component, for the user: its name, the cause and what to do. */
export function componentFailure(name: string, cause: unknown): CodedError {
  const coded = codedCause(cause);
  if (coded) return new CodedError(coded.code, `${name}: ${coded.message}`, coded.remedy, { cause });
  const message = cause instanceof Error ? cause.message : String(cause);
  const system = SYSTEM_ERRORS[(cause as NodeJS.ErrnoException | undefined)?.code ?? ''];
  if (system) return new CodedError(system.code, `${name}: ${system.what} (${message})`, system.remedy, { cause });
  return new CodedError('COMPONENT_FAILED', `${name}: ${message}`, SEE_LOG, { cause });
}

/** It, or what is behind it: an answer of the API server may be the datastore's failure. */
function codedCause(error: unknown): CodedError | undefined {
  for (let depth = 0; error instanceof Error && depth < 5; depth++, error = error.cause)
    if (error instanceof CodedError) return error;
  return undefined;
}

export function missedDeadline(name: string, deadlineMs: number, cause: unknown): CodedError {
  return new CodedError(
    'COMPONENT_DEADLINE',
    `${name}: not ready within ${deadlineMs / 1000} s`,
    'The machine may be overloaded: try again, and see the log in the data directory (logs/k8ts.log).',
    { cause },
  );
}
