import { badRequest } from '../../apimachinery/status-error.ts';

const MS_PER_UNIT: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  μs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};

/** What `?timeout=` asks for, a Go duration; undefined without it, and for 0. Throws StatusError 400. */
export function requestedTimeoutMs(query: URLSearchParams): number | undefined {
  const text = query.get('timeout');
  if (!text) return undefined;
  const ms = durationMs(text);
  if (ms === undefined)
    throw badRequest(`invalid timeout specified in the request URL - time: invalid duration ${JSON.stringify(text)}`);
  return ms > 0 ? ms : undefined;
}

function durationMs(text: string): number | undefined {
  const match = /^([+-]?)(0|(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+)$/.exec(text);
  if (!match) return undefined;
  let ms = 0;
  for (const [, amount, unit] of match[2]!.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)/g))
    ms += Number(amount) * MS_PER_UNIT[unit!]!;
  return match[1] === '-' ? -ms : ms;
}
