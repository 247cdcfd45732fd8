import type { Logger } from '../../apimachinery/logger.ts';
import type { RequestContext } from '../request/request-context.ts';
import { type RequestRouter, resourceNotFound } from '../request/request-router.ts';
import type { ContentResult } from '../request/result.ts';
import type { HealthCheck, HealthChecks, HealthEndpoint } from './health-checks.ts';

const CHECK_TIMEOUT_MS = 5000;

export function addHealthRoutes(router: RequestRouter, checks: HealthChecks, logger: Logger): void {
  for (const endpoint of ['healthz', 'livez', 'readyz'] as const) {
    router.addPath(`/${endpoint}`, (context) => reportAll(context, endpoint, checks.of(endpoint), logger));
    router.addPrefix(`/${endpoint}`, (context) => {
      const name = context.info.path.slice(endpoint.length + 2);
      const check = checks.of(endpoint).get(name);
      if (!check) throw resourceNotFound();
      return reportOne(name, check, logger);
    });
  }
}

async function reportOne(name: string, check: HealthCheck, logger: Logger): Promise<ContentResult> {
  return (await passes(name, check, logger)) ? text(200, 'ok') : text(500, `internal server error: ${name} failed`);
}

async function reportAll(
  { query }: RequestContext,
  endpoint: HealthEndpoint,
  checks: ReadonlyMap<string, HealthCheck>,
  logger: Logger,
): Promise<ContentResult> {
  const excluded = new Set(query.getAll('exclude').flatMap((value) => value.split(',')));
  const lines = await Promise.all(
    [...checks].map(async ([name, check]) => {
      if (excluded.delete(name)) return `[+]${name} excluded: ok`;
      return (await passes(name, check, logger)) ? `[+]${name} ok` : `[-]${name} failed: reason withheld`;
    }),
  );
  if (excluded.size)
    lines.push(
      `warn: some health checks cannot be excluded: no matches for ${[...excluded].map((name) => JSON.stringify(name)).join(', ')}`,
    );
  if (lines.some((line) => line.startsWith('[-]'))) return text(500, `${lines.join('\n')}\n${endpoint} check failed\n`);
  return query.has('verbose') ? text(200, `${lines.join('\n')}\n${endpoint} check passed\n`) : text(200, 'ok');
}

async function passes(name: string, check: HealthCheck, logger: Logger): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  try {
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('it took too long')), CHECK_TIMEOUT_MS);
    });
    await Promise.race([check(), timeout]);
    return true;
  } catch (error) {
    logger.debug({ check: name, err: error }, 'health check failed');
    return false;
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
