import { Duration } from '@marcbachmann/cel-js/evaluator';

const BILLION = 1_000_000_000n;

export const nanosOf = (duration: Duration) => duration.seconds * BILLION + BigInt(duration.nanos);

/** Seconds and nanoseconds have the same sign. */
export function durationOfNanos(nanos: bigint): Duration {
  if (nanos > 9_223_372_036_854_775_807n || nanos < -9_223_372_036_854_775_808n) throw new Error('duration overflow');
  return new Duration(nanos / BILLION, Number(nanos % BILLION));
}

/** As Go shows it in JSON of protobufs: `-1.5s`. */
export function durationText(duration: Duration): string {
  const nanos = nanosOf(duration);
  const size = nanos < 0n ? -nanos : nanos;
  const fraction = (size % BILLION).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nanos < 0n ? '-' : ''}${size / BILLION}${fraction && `.${fraction}`}s`;
}

const units: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  µs: 1000n,
  μs: 1000n,
  ms: 1_000_000n,
  s: BILLION,
  m: 60n * BILLION,
  h: 3600n * BILLION,
};

/** Go's notation (`1h30m`, `-1.5s`, `0`); `undefined` for what is not in it. */
export function parseDuration(text: string): Duration | undefined {
  if (!/^[+-]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)$/.test(text)) return undefined;
  let nanos = 0n;
  for (const [, amount = '0', unit = 's'] of text.matchAll(/(\d*\.?\d+|\d+\.)(ns|us|µs|μs|ms|s|m|h)/g)) {
    const [whole = '0', fraction = ''] = amount.split('.');
    nanos +=
      BigInt(whole || '0') * units[unit]! +
      (BigInt(fraction.slice(0, 15) || '0') * units[unit]!) / 10n ** BigInt(Math.min(15, fraction.length));
  }
  if (text.startsWith('-')) nanos = -nanos;
  try {
    return durationOfNanos(nanos);
  } catch {
    return undefined;
  }
}
