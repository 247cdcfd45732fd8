import { splice } from '../../apimachinery/splice.ts';
import { badRequest, type StatusError } from '../../apimachinery/status-error.ts';
import type { HttpExchange } from '../http/http-exchange.ts';
import { type Backend, beginRequest, upgradeOf } from './backend.ts';
import { copyResponse } from './copy-response.ts';
import { dialErrorText, unknownError } from './dial-error.ts';
import { requestHeaders, responseHeaders } from './forwarded-headers.ts';

/**
 * Passes an upgrade on to the backend and then the bytes of both, as they come, until both are done. What the backend
 * answers instead of an upgrade goes to the client. Throws StatusError when the backend cannot be reached.
 */
export async function forwardUpgrade(
  exchange: HttpExchange,
  backend: Backend,
  path: string,
  failure: (text: string) => StatusError,
): Promise<void> {
  const client = exchange.upgrade;
  if (!client) throw badRequest('Upgrade request required');
  const request = beginRequest(backend, { method: exchange.method, path, headers: requestHeaders(exchange, true) });
  const leave = () => request.destroy();
  exchange.signal.addEventListener('abort', leave, { once: true });
  const answer = await upgradeOf(request).catch((error: unknown) => {
    throw failure(dialErrorText(error, backend.host, backend.port));
  });
  exchange.signal.removeEventListener('abort', leave);
  if ('refused' in answer) {
    const { statusCode = 502 } = answer.refused;
    if (statusCode < 400) {
      answer.refused.destroy();
      throw unknownError(`invalid upgrade response: status code ${statusCode}`);
    }
    exchange.writeHead(statusCode, responseHeaders(answer.refused.headers));
    return copyResponse(answer.refused, exchange);
  }
  const { response, socket, head } = answer;
  const lines = [`HTTP/1.1 101 ${response.statusMessage || 'Switching Protocols'}`];
  for (let index = 0; index < response.rawHeaders.length; index += 2)
    lines.push(`${response.rawHeaders[index]}: ${response.rawHeaders[index + 1]}`);
  client.socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  if (head.length) client.socket.write(head);
  if (client.head.length) socket.write(client.head);
  await splice(client.socket, socket);
}
