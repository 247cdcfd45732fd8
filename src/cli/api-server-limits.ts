import { type Command, InvalidArgumentError } from 'commander';
import type { ClusterOptions } from '../cluster/options.ts';
import { parseBoolean, parseCount, parseDuration } from './option-values.ts';

/** As commander hands them over. */
export interface ApiServerLimitFlags {
  readonly maxRequestsInflight?: number;
  readonly maxMutatingRequestsInflight?: number;
  readonly requestTimeout?: number;
  readonly shutdownDelayDuration?: number;
  readonly shutdownSendRetryAfter?: boolean;
  readonly goawayChance?: number;
}

/** What the API server takes on at once, and how it ends. */
export function apiServerLimitOptions(command: Command): Command {
  return command
    .option('--max-requests-inflight <count>', 'reads worked on at once (default: 400)', parseCount)
    .option('--max-mutating-requests-inflight <count>', 'writes worked on at once (default: 200)', parseCount)
    .option('--request-timeout <duration>', 'of requests that are not watches or streams (default: 60s)', parseDuration)
    .option('--shutdown-delay-duration <duration>', 'serve on, not ready, before the end (default: 0s)', parseDuration)
    .option('--shutdown-send-retry-after [boolean]', 'refuse new requests while others end', parseBoolean)
    .option(
      '--goaway-chance <number>',
      'of HTTP/2 requests to move their client (default: 0; 0.02 at most)',
      parseChance,
    );
}

export function apiServerLimits(flags: ApiServerLimitFlags): Pick<ClusterOptions, 'apiServerLimits'> {
  const limits = Object.entries({
    readOnlyInFlight: flags.maxRequestsInflight,
    mutatingInFlight: flags.maxMutatingRequestsInflight,
    requestTimeoutMs: flags.requestTimeout,
    shutdownDelayMs: flags.shutdownDelayDuration,
    shutdownSendRetryAfter: flags.shutdownSendRetryAfter,
    goawayChance: flags.goawayChance,
  }).filter(([, value]) => value !== undefined);
  return limits.length ? { apiServerLimits: Object.fromEntries(limits) } : {};
}

function parseChance(text: string): number {
  const chance = Number(text);
  if (!(chance >= 0 && chance <= 0.02)) throw new InvalidArgumentError('expected a number from 0 to 0.02.');
  return chance;
}
