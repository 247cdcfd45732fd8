import type { Environment } from '@marcbachmann/cel-js';
import type { Duration } from '@marcbachmann/cel-js/evaluator';
import { durationText } from './durations.ts';
import { format, timestampText } from './formatting.ts';
import { Patterns } from './patterns.ts';

class StringsNamespace {}

const MAX_TEXT = 1024 * 1024;

/** Kubernetes' and the extensions' functions on strings, and conversions to them. */
export function registerStrings(environment: Environment): void {
  const add = (signature: string, handler: (...args: never[]) => unknown) =>
    environment.registerFunction(signature, handler as never, { async: false } as never);
  const patterns = new Patterns();
  const findAll = (text: string, pattern: string, limit = -1n) =>
    patterns.find(pattern, (found) => found.findAll(text, limit < 0n ? Number.POSITIVE_INFINITY : Number(limit)));
  add('matches(string, string): bool', (text: string, pattern: string) => patterns.matches(text, pattern));
  add('string.find(string): string', (text: string, pattern: string) =>
    patterns.find(pattern, (found) => found.find(text) ?? ''),
  );
  add('string.findAll(string): list<string>', findAll as never);
  add('string.findAll(string, int): list<string>', findAll as never);
  add('string.charAt(int): string', (text: string, at: bigint) => {
    const letters = [...text];
    if (at < 0n || at > BigInt(letters.length)) throw new Error(`index out of range: ${at}`);
    return letters[Number(at)] ?? '';
  });
  add('string.replace(string, string): string', (text: string, from: string, to: string) =>
    bounded(text.split(from).join(to)),
  );
  add('string.replace(string, string, int): string', (text: string, from: string, to: string, limit: bigint) => {
    if (limit < 0n) return bounded(text.split(from).join(to));
    const parts = text.split(from);
    const count = Math.min(Number(limit), parts.length - 1);
    return bounded(
      parts.slice(0, count + 1).join(to) +
        parts
          .slice(count + 1)
          .map((part) => from + part)
          .join(''),
    );
  });
  add('string.format(list): string', (text: string, values: unknown[]) => bounded(format(text, values)));
  environment.registerType('StringsNamespace', StringsNamespace as never);
  environment.registerConstant('strings', 'StringsNamespace', new StringsNamespace() as never);
  add('StringsNamespace.quote(string): string', (_: unknown, text: string) => JSON.stringify(text));

  add('string(google.protobuf.Timestamp): string', timestampText);
  add('string(google.protobuf.Duration): string', durationText);
  add('int(google.protobuf.Timestamp): int', (time: Date) => BigInt(Math.floor(time.getTime() / 1000)));
  add(
    'int(google.protobuf.Duration): int',
    (duration: Duration) => duration.seconds * 1_000_000_000n + BigInt(duration.nanos),
  );
  add('timestamp(google.protobuf.Timestamp): google.protobuf.Timestamp', (time: Date) => time);
  add('duration(google.protobuf.Duration): google.protobuf.Duration', (duration: Duration) => duration);
}

function bounded(text: string): string {
  if (text.length > MAX_TEXT) throw new Error('operation cancelled: actual cost limit exceeded');
  return text;
}
