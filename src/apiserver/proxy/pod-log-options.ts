import { type FieldError, FieldPath, forbiddenField, invalidValue, notSupported } from '../../apimachinery/field.ts';
import { badRequest, invalid } from '../../apimachinery/status-error.ts';

const INTEGERS = ['tailLines', 'limitBytes', 'sinceSeconds'] as const;
const FLAGS = ['follow', 'previous', 'timestamps'] as const;
const STREAMS = ['All', 'Stderr', 'Stdout'];

/** Checks PodLogOptions in a query, and returns what the kubelet is asked. Throws StatusError 400 or 422. */
export function podLogQuery(name: string, query: URLSearchParams): URLSearchParams {
  const forwarded = new URLSearchParams();
  const errors: FieldError[] = [];
  for (const flag of FLAGS)
    if (query.has(flag) && ['true', '1', ''].includes(query.get(flag)!)) forwarded.set(flag, 'true');
  for (const field of INTEGERS) {
    const text = query.get(field);
    if (text === null || text === '') continue;
    if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
    const value = Number(text);
    if (field === 'tailLines' && value < 0)
      errors.push(invalidValue(FieldPath.of(field), value, 'must be greater than or equal to 0'));
    if (field !== 'tailLines' && value < 1)
      errors.push(invalidValue(FieldPath.of(field), value, 'must be greater than 0'));
    forwarded.set(field, String(value));
  }
  const sinceTime = query.get('sinceTime');
  if (sinceTime) {
    if (Number.isNaN(Date.parse(sinceTime)))
      throw badRequest(
        `parsing time ${JSON.stringify(sinceTime)} as "2006-01-02T15:04:05Z07:00": cannot parse ${JSON.stringify(sinceTime)} as "2006"`,
      );
    if (forwarded.has('sinceSeconds'))
      errors.push(forbiddenField(FieldPath.of(''), 'at most one of `sinceTime` or `sinceSeconds` may be specified'));
    forwarded.set('sinceTime', sinceTime);
  }
  const stream = query.get('stream');
  if (stream) {
    if (!STREAMS.includes(stream)) errors.push(notSupported(FieldPath.of('stream'), stream, STREAMS));
    else if (stream !== 'All') {
      if (forwarded.has('tailLines'))
        errors.push(
          forbiddenField(FieldPath.of(''), '`tailLines` and specific `stream` are mutually exclusive for now'),
        );
      forwarded.set('stream', stream);
    }
  }
  if (errors.length) throw invalid({ group: '', kind: 'PodLogOptions' }, name, errors);
  return forwarded;
}
