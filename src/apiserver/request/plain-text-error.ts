import { StatusError } from '../../apimachinery/status-error.ts';

type Failure = ConstructorParameters<typeof StatusError>[0];

/** A failure that clients over HTTP are told of in a line of text: what upstream answers outside its API machinery is no Status. */
export class PlainTextError extends StatusError {
  readonly text: string;

  /** `failure`: what clients make of it, and are given in the process; its message is the text when there is no other. */
  constructor(failure: Failure, text = failure.message ?? '') {
    super(failure);
    this.text = text;
  }
}

/** 429 of priority and fairness, and of limits of what is worked on at once. */
export const tooManyRequestsText = (retryAfterSeconds: number, text = 'Too many requests, please try again later.') =>
  new PlainTextError({ code: 429, reason: 'TooManyRequests', message: text, details: { retryAfterSeconds } });

/** 404 of a path that nobody serves. */
export const pageNotFound = () =>
  new PlainTextError(
    { code: 404, reason: 'NotFound', message: 'the server could not find the requested resource', details: {} },
    '404 page not found',
  );
