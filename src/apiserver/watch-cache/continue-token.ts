import { Buffer } from 'node:buffer';
import { badRequest, StatusError } from '../../apimachinery/status-error.ts';

/** Where a paged list goes on. It holds everything needed, so it outlives the server that gave it. */
export interface ContinueToken {
  /** The revision all pages are read at; -1: whatever is current (a list that is no longer consistent). */
  readonly revision: number;
  /** The first key that may appear on the next page, `namespace/name` or `name`. */
  readonly start: string;
}

export function encodeContinue(token: ContinueToken): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: token.revision, start: token.start })).toString(
    'base64url',
  );
}

export function decodeContinue(text: string): ContinueToken {
  try {
    const { v, rv, start } = JSON.parse(Buffer.from(text, 'base64').toString('utf8')) as Record<string, unknown>;
    if (
      v === 'meta.k8s.io/v1' &&
      Number.isSafeInteger(rv) &&
      rv !== 0 &&
      typeof start === 'string' &&
      start !== '' &&
      !start.includes('..')
    )
      return { revision: rv as number, start };
  } catch {
    // Falls through to the one answer for every token that is not ours.
  }
  throw badRequest('continue key is not valid: unable to decode continue token');
}

const EXPIRED =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.';

/** 410 with a token that goes on where the old one stopped, in what is current. */
export function continueExpired(token: ContinueToken): StatusError {
  const status = {
    code: 410,
    reason: 'Expired',
    message: EXPIRED,
    metadata: { continue: encodeContinue({ revision: -1, start: token.start }) },
  };
  return new StatusError(status);
}
