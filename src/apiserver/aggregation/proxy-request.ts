import { isStatusError, StatusError, serviceUnavailable, timedOut } from '../../apimachinery/status-error.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import { forwardRequest } from '../proxy/forward-request.ts';
import { forwardUpgrade } from '../proxy/forward-upgrade.ts';
import { isLongRunning } from '../request/in-flight.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { Result } from '../request/result.ts';
import { isAvailable, type RemoteApiService } from './remote-api-services.ts';
import type { RemoteBackends } from './remote-backends.ts';

const REQUEST_TIMEOUT_MS = 60_000;
const DISCOVERY_TIMEOUT_MS = 5_000;

/** Passes a request on to the server behind an APIService, as the user who made it. */
export function proxyRequest(context: RequestContext, service: RemoteApiService, backends: RemoteBackends): Result {
  if (!isAvailable(service)) return refusal(context, 'service unavailable');
  let target: ReturnType<RemoteBackends['endpoints']>;
  try {
    target = backends.endpoints(service);
  } catch {
    target = [];
  }
  if (target.length === 0) return refusal(context, 'service unavailable');
  return { type: 'takeOver', run: (exchange) => run(exchange, context, service, backends) };
}

async function run(
  exchange: HttpExchange,
  context: RequestContext,
  service: RemoteApiService,
  backends: RemoteBackends,
): Promise<void> {
  const { info, user } = context;
  const path = exchange.rawQuery ? `${exchange.path}?${exchange.rawQuery}` : exchange.path;
  const failure = (why: string) => new ProxyFailure(`error trying to reach service: ${why}`);
  const deadline = new AbortController();
  const limit = info.resourceRequest ? REQUEST_TIMEOUT_MS : DISCOVERY_TIMEOUT_MS;
  const timer = exchange.upgrade || isLongRunning(info) ? undefined : setTimeout(() => deadline.abort(), limit);
  try {
    if (exchange.upgrade)
      await forwardUpgrade(exchange, backends.backend(service, user, { upgrade: true }), path, failure);
    else
      await forwardRequest(
        exchange,
        backends.backend(service, user, { signal: deadline.signal }),
        { path, prefix: '' },
        failure,
      );
  } catch (error) {
    if (exchange.headersSent || !isStatusError(error)) throw error;
    if (deadline.signal.aborted && info.resourceRequest)
      throw timedOut(
        'the server was unable to return a response in the time allotted, but may still be processing the request',
      );
    const text = deadline.signal.aborted
      ? 'error trying to reach service: context deadline exceeded'
      : error instanceof ProxyFailure
        ? error.message
        : 'service unavailable';
    exchange.send(503, PLAIN_TEXT(), `${text}\n`);
  } finally {
    clearTimeout(timer);
  }
}

/** The other server could not be reached. */
class ProxyFailure extends StatusError {
  constructor(message: string) {
    super({ code: 503, reason: 'ServiceUnavailable', message });
  }
}

const PLAIN_TEXT = () => ({
  'content-type': 'text/plain; charset=utf-8',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-cache, private',
});

/** As upstream's aggregator: 503 and a plain text, of which clients make a ServiceUnavailable. */
function refusal({ inProcess }: RequestContext, message: string): Result {
  if (inProcess) throw serviceUnavailable(message);
  const { 'content-type': contentType, ...headers } = PLAIN_TEXT();
  return { type: 'content', status: 503, contentType, body: `${message}\n`, headers };
}
