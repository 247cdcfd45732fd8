import type { FieldError } from './field.ts';
import type { GroupResource, Status, StatusCause, StatusDetails } from './meta.ts';

/** An API error: carries the `metav1.Status` that the client receives. */
export class StatusError extends Error {
  override readonly name = 'StatusError';
  readonly status: Status;

  constructor(status: Omit<Status, 'apiVersion' | 'kind' | 'metadata' | 'status'>) {
    super(status.message ?? status.reason ?? 'error');
    const { message, reason, details, code } = status;
    // Of a list that cannot go on: a token with which it can.
    const { metadata = {} } = status as Partial<Status>;
    // In the order in which Kubernetes' clients are used to seeing them.
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata,
      status: 'Failure',
      ...(message === undefined ? {} : { message }),
      ...(reason === undefined ? {} : { reason }),
      ...(details === undefined ? {} : { details }),
      ...(code === undefined ? {} : { code }),
    } as Status;
  }

  get code(): number {
    return this.status.code ?? 500;
  }

  get reason(): string {
    return this.status.reason ?? '';
  }
}

export function isStatusError(error: unknown, reason?: string): error is StatusError {
  return error instanceof StatusError && (reason === undefined || error.reason === reason);
}

const qualified = ({ group, resource }: GroupResource) => (group ? `${resource}.${group}` : resource);
const details = (gr: GroupResource, name: string | undefined, extra?: Partial<StatusDetails>): StatusDetails => ({
  ...(name ? { name } : {}),
  ...(gr.group ? { group: gr.group } : {}),
  ...(gr.resource ? { kind: gr.resource } : {}),
  ...extra,
});

export const notFound = (gr: GroupResource, name: string) =>
  new StatusError({
    code: 404,
    reason: 'NotFound',
    message: `${qualified(gr)} "${name}" not found`,
    details: details(gr, name),
  });

export const alreadyExists = (gr: GroupResource, name: string) =>
  new StatusError({
    code: 409,
    reason: 'AlreadyExists',
    message: `${qualified(gr)} "${name}" already exists`,
    details: details(gr, name),
  });

export const conflict = (gr: GroupResource, name: string, why: string, causes?: readonly StatusCause[]) =>
  new StatusError({
    code: 409,
    reason: 'Conflict',
    message: `Operation cannot be fulfilled on ${qualified(gr)} "${name}": ${why}`,
    details: details(gr, name, causes ? { causes } : undefined),
  });

/** The conflict of a stale resourceVersion. */
export const modifiedConflict = (gr: GroupResource, name: string) =>
  conflict(gr, name, 'the object has been modified; please apply your changes to the latest version and try again');

/** 422 with a cause per field; `kind` is the Kind, not the resource. */
export function invalid(gk: { group: string; kind: string }, name: string, errors: readonly FieldError[]): StatusError {
  const causes = errors.map((e) => ({ reason: e.type, message: e.body, field: e.field }));
  const texts = errors.map((e) => e.toString());
  const list = texts.length === 1 ? texts[0] : `[${[...new Set(texts)].join(', ')}]`;
  return new StatusError({
    code: 422,
    reason: 'Invalid',
    message: `${gk.group ? `${gk.kind}.${gk.group}` : gk.kind} "${name}" is invalid${texts.length ? `: ${list}` : ''}`,
    details: {
      ...(name ? { name } : {}),
      ...(gk.group ? { group: gk.group } : {}),
      ...(gk.kind ? { kind: gk.kind } : {}),
      causes,
    },
  });
}

export const badRequest = (message: string) => new StatusError({ code: 400, reason: 'BadRequest', message });

export const unauthorized = (message = 'Unauthorized') =>
  new StatusError({ code: 401, reason: 'Unauthorized', message });

export const forbidden = (gr: GroupResource, name: string | undefined, why: string) =>
  new StatusError({
    code: 403,
    reason: 'Forbidden',
    message: gr.resource ? `${qualified(gr)}${name ? ` "${name}"` : ''} is forbidden: ${why}` : `forbidden: ${why}`,
    details: details(gr, name),
  });

export const methodNotSupported = (gr: GroupResource, verb: string) =>
  new StatusError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: `${verb} is not supported on resources of kind "${qualified(gr)}"`,
    details: details(gr, undefined),
  });

/** 405 of a method that a path has not. */
export const methodNotAllowed = () =>
  new StatusError({
    code: 405,
    reason: 'MethodNotAllowed',
    message: 'the server does not allow this method on the requested resource',
    details: {},
  });

export const notAcceptable = (accepted: readonly string[]) =>
  new StatusError({
    code: 406,
    reason: 'NotAcceptable',
    message: `only the following media types are accepted: ${accepted.join(', ')}`,
  });

/** 410: a watch or a continue token asks for a revision that is compacted away. */
export const expired = (message: string) => new StatusError({ code: 410, reason: 'Expired', message });

export const tooLargeResourceVersion = (requested: number, current: number) =>
  new StatusError({
    code: 504,
    reason: 'Timeout',
    message: `Too large resource version: ${requested}, current: ${current}`,
    details: {
      causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
      retryAfterSeconds: 1,
    },
  });

export const entityTooLarge = (limitBytes: number) =>
  new StatusError({
    code: 413,
    reason: 'RequestEntityTooLarge',
    message: `Request entity too large: limit is ${limitBytes}`,
  });

export const unsupportedMediaType = (accepted: readonly string[]) =>
  new StatusError({
    code: 415,
    reason: 'UnsupportedMediaType',
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  });

export const tooManyRequests = (message: string, retryAfterSeconds: number) =>
  new StatusError({ code: 429, reason: 'TooManyRequests', message, details: { retryAfterSeconds } });

export const timedOut = (message: string, retryAfterSeconds = 0) =>
  new StatusError({ code: 504, reason: 'Timeout', message, details: { retryAfterSeconds } });

export const serviceUnavailable = (message: string) =>
  new StatusError({ code: 503, reason: 'ServiceUnavailable', message });

/** `cause` stays in the process: a failed boot names what was behind it. */
export const internalError = (message: string, cause?: unknown) => {
  const error = new StatusError({
    code: 500,
    reason: 'InternalError',
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
  if (cause !== undefined) error.cause = cause;
  return error;
};
