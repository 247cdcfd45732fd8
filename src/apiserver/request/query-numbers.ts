import { badRequest } from '../../apimachinery/status-error.ts';

/** A parameter of the query; 0 when it is absent. Throws StatusError 400 in the words of Go's strconv. */
export function wholeNumber(query: URLSearchParams, parameter: string): number {
  const text = query.get(parameter);
  if (text === null) return 0;
  const failure = (why: string) => badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: ${why}`);
  if (!/^[+-]?\d+$/.test(text)) throw failure('invalid syntax');
  const number = Number(text);
  if (!Number.isSafeInteger(number)) throw failure('value out of range');
  return number;
}
