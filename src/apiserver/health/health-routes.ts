import type { Logger } from '../../apimachinery/logger.ts';
import { pageNotFound } from '../request/plain-text-error.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { RequestRouter } from '../request/request-router.ts';
import type { ContentResult } from '../request/result.ts';
import type { HealthCheck, HealthChecks, HealthEndpoint } from './health-checks.ts';
import type { HealthMetrics } from './health-metrics.ts';

const CHECK_TIMEOUT_MS = 5000;

export function addHealthRoutes(
  router: RequestRouter,
  checks: HealthChecks,
  logger: Logger,
  metrics: HealthMetrics,
): void {
  const ask: Ask = async (endpoint, name, check) => {
    const failure = await failureOf(name, check, logger);
    metrics.observe(endpoint, name, failure === undefined);
    return failure;
  };
  for (const endpoint of ['healthz', 'livez', 'readyz'] as const) {
    router.addPath(`/${endpoint}`, (context) => reportAll(context, endpoint, checks.of(endpoint), ask));
    router.addPrefix(`/${endpoint}`, (context) => {
      const name = context.info.path.slice(endpoint.length + 2);
      const check = checks.of(endpoint).get(name);
      if (!check) throw pageNotFound();
      return reportOne(endpoint, name, check, ask);
    });
  }
}

/** Why the check does not hold; undefined when it does. */
type Ask = (endpoint: HealthEndpoint, name: string, check: HealthCheck) => Promise<string | undefined>;

async function reportOne(endpoint: HealthEndpoint, name: string, check: HealthCheck, ask: Ask): Promise<ContentResult> {
  const failure = await ask(endpoint, name, check);
  return failure === undefined ? text(200, 'ok') : text(500, `internal server error: ${failure}\n`);
}

async function reportAll(
  { query }: RequestContext,
  endpoint: HealthEndpoint,
  checks: ReadonlyMap<string, HealthCheck>,
  ask: Ask,
): Promise<ContentResult> {
  const excluded = new Set(query.getAll('exclude'));
  const lines = await Promise.all(
    [...checks].map(async ([name, check]) => {
      if (excluded.delete(name)) return `[+]${name} excluded: ok`;
      const failure = await ask(endpoint, name, check);
      return failure === undefined ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
    }),
  );
  if (excluded.size)
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${[...excluded]
        .sort()
        .map((name) => JSON.stringify(name))
        .join(',')}`,
    );
  if (lines.some((line) => line.startsWith('[-]'))) return text(500, `${lines.join('\n')}\n${endpoint} check failed\n`);
  return query.has('verbose') ? text(200, `${lines.join('\n')}\n${endpoint} check passed\n`) : text(200, 'ok');
}

async function failureOf(name: string, check: HealthCheck, logger: Logger): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it took too long')), CHECK_TIMEOUT_MS);
    });
    await Promise.race([check(), timeout]);
    return undefined;
  } catch (error) {
    logger.debug({ check: name, err: error }, 'health check failed');
    return error instanceof Error ? error.message : String(error);
  } finally {
    clearTimeout(timer);
  }
}

function text(status: number, body: string): ContentResult {
  return {
    type: 'content',
    status,
    contentType: 'text/plain; charset=utf-8',
    body,
    headers: { 'x-content-type-options': 'nosniff' },
  };
}
