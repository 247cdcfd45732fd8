import type { IncomingMessage } from 'node:http';
import { badRequest, internalError, methodNotAllowed, StatusError } from '../../apimachinery/status-error.ts';
import { wantsWebSocket } from '../http/web-socket.ts';
import type { RequestContext } from '../request/request-context.ts';
import type { ContentResult, Result } from '../request/result.ts';
import { type Backend, beginRequest, responseOf } from './backend.ts';
import { copyResponse } from './copy-response.ts';
import { dialErrorText, hostPort, unknownError } from './dial-error.ts';
import { kubeletOf } from './kubelet-endpoint.ts';
import { containerOf, podOf } from './pod-container.ts';
import { podLogQuery } from './pod-log-options.ts';
import type { ProxyServices } from './proxy-services.ts';

const MAX_ERROR_BYTES = 50_000;
/** Of a log that is read from inside the process. */
const MAX_IN_PROCESS_BYTES = 16 * 1024 * 1024;

/** GET `/pods/NAME/log`: the kubelet's answer, as it comes. */
export async function podLog(proxy: ProxyServices, context: RequestContext): Promise<Result> {
  const { info, query, inProcess } = context;
  if (info.verb !== 'get') throw methodNotAllowed();
  const forwarded = podLogQuery(info.name, query);
  const pod = await podOf(proxy.reader, info.namespace, info.name);
  const container = containerOf(pod, query.get('container') ?? '');
  // Nothing has been written where the pod is nowhere yet.
  if (!pod.spec.nodeName) return { type: 'content', status: 204, contentType: 'text/plain', body: '' };
  const backend = await kubeletOf(proxy.reader, pod.spec.nodeName, proxy.kubelet());
  const text = forwarded.toString();
  const path = `/containerLogs/${info.namespace}/${info.name}/${container}${text ? `?${text}` : ''}`;
  const limitBytes = Number(forwarded.get('limitBytes') ?? MAX_IN_PROCESS_BYTES);
  if (inProcess) {
    if (forwarded.has('follow')) throw badRequest('a log is followed over HTTP only');
    return contentOf(await open(backend, path, info.name, context.signal), Math.min(limitBytes, MAX_IN_PROCESS_BYTES));
  }
  return {
    type: 'takeOver',
    async run(exchange) {
      const response = await open(backend, path, info.name, exchange.signal);
      if (wantsWebSocket(exchange))
        return (await import('./log-over-web-socket.ts')).logOverWebSocket(exchange, response);
      exchange.writeHead(200, { 'content-type': 'text/plain', 'cache-control': 'no-cache, private' });
      await copyResponse(response, exchange);
    },
  };
}

async function open(backend: Backend, path: string, podName: string, signal: AbortSignal): Promise<IncomingMessage> {
  const request = beginRequest(backend, { method: 'GET', path, headers: { accept: '*/*' } });
  const leave = () => request.destroy();
  signal.addEventListener('abort', leave, { once: true });
  request.once('close', () => signal.removeEventListener('abort', leave));
  request.end();
  const response = await responseOf(request).catch((error: unknown) => {
    throw unknownError(
      `Get "https://${hostPort(backend.host, backend.port)}${path}": ${dialErrorText(error, backend.host, backend.port)}`,
    );
  });
  const code = response.statusCode ?? 500;
  if (code >= 200 && code <= 206) return response;
  throw await refusal(response, code, podName);
}

async function refusal(response: IncomingMessage, code: number, podName: string): Promise<StatusError> {
  const { body } = await contentOf(response, MAX_ERROR_BYTES);
  const text = body.toString();
  if (code === 500) return internalError(text);
  if (code === 400) return badRequest(text);
  const reason =
    { 401: 'Unauthorized', 403: 'Forbidden', 404: 'NotFound', 429: 'TooManyRequests', 503: 'ServiceUnavailable' }[
      code
    ] ?? 'Unknown';
  const message =
    code === 404
      ? `the server could not find the requested resource ( pods/log ${podName})`
      : `the server responded with the status code ${code} but did not return more information ( pods/log ${podName})`;
  return new StatusError({
    code,
    reason,
    message,
    details: { name: podName, kind: 'pods/log', causes: [{ reason: 'UnexpectedServerResponse', message: text }] },
  });
}

async function contentOf(response: IncomingMessage, limit: number): Promise<ContentResult> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk.subarray(0, limit - size));
    size += chunk.length;
    if (size >= limit) break;
  }
  return { type: 'content', status: 200, contentType: 'text/plain', body: Buffer.concat(chunks) };
}
