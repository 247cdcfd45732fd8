import { baselineChecks } from './baseline-checks.ts';
import type { LevelVersion } from './policy.ts';
import { restrictedChecks } from './restricted-checks.ts';
import type { Check, PodLike, Violation } from './violation.ts';

const LATEST = Number.MAX_SAFE_INTEGER;

/** What in a pod is against a level, in the order in which Kubernetes tells it. */
export function violationsOf(pod: PodLike, { level, version }: LevelVersion): readonly Violation[] {
  if (level === 'privileged') return [];
  const minor = version === 'latest' ? LATEST : version;
  const checks: readonly Check[] = level === 'baseline' ? baselineChecks : restrictedChecks(minor);
  return checks.flatMap((check) => ((check.since ?? 0) <= minor ? (check.check(pod, minor) ?? []) : []));
}

/** `privileged (container "a" must not set ...), host namespaces (hostPID=true)` */
export const describeViolations = (violations: readonly Violation[]) =>
  violations.map(({ reason, detail }) => (detail ? `${reason} (${detail})` : reason)).join(', ');
